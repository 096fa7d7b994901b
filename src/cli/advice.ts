/** What an error advises, in the words of the command line. */
import type { Advice } from "../errors.js";

/** Options that have another name here than in the library, or need more than that. */
const FLAGS: Readonly<Record<string, string>> = {
  options: "--args FILE",
  resume: "monotone-flows train --resume",
};

/** The flag of an option of the library: `--data-dir` of `dataDir`. */
export const flagOf = (option: string): string =>
  FLAGS[option] ?? `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** The options that help, in brackets behind a sentence; nothing where there is no advice. */
export function inWords(advice: readonly Advice[]): string {
  if (advice.length === 0) return "";
  const flags = advice.map(({ option, value }) => [flagOf(option), ...(value ? [value] : [])].join(" "));
  return ` (${flags.join(" or ")})`;
}

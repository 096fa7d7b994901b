/** The commands. */
import { Command } from "@commander-js/extra-typings";
import { description, version } from "../manifest.js";

/** An error of commander as one sentence on one line. */
const oneLine = (text: string) =>
  text
    .replace(/^error: /, "")
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean)
    .join(" ");

type Add = (program: Command) => void;

/** In the order of the help. Each is loaded when it is called: together they take most of the time of a start. */
const COMMANDS: Record<string, () => Promise<Add>> = {
  train: async () => (await import("./train.js")).trainCommand,
  evaluate: async () => (await import("./evaluate.js")).evaluateCommand,
  sample: async () => (await import("./sample.js")).sampleCommand,
  score: async () => (await import("./score.js")).scoreCommand,
  verify: async () => (await import("./verify.js")).verifyCommand,
  import: async () => (await import("./import.js")).importCommand,
  export: async () => (await import("./export.js")).exportCommand,
  reproduce: async () => (await import("./reproduce.js")).reproduceCommand,
  bench: async () => (await import("./bench.js")).benchCommand,
  studio: async () => (await import("./studio.js")).studioCommand,
};

/** The program for these arguments: with the command that comes first in them, or with all where there is none. */
export async function programFor(args: readonly string[]): Promise<Command> {
  const program = new Command("monotone-flows")
    .description(description)
    .version(version)
    .configureOutput({ outputError: (text, write) => write(`monotone-flows: ${oneLine(text)}\n`) })
    .exitOverride()
    .addHelpText(
      "after",
      "\nStart with:\n  $ monotone-flows train\n\nEvery command has its own --help, with examples.",
    );

  const [first] = args;
  const named = Object.hasOwn(COMMANDS, first ?? "") ? [COMMANDS[first]] : Object.values(COMMANDS);
  for (const load of named) (await load())(program);
  return program;
}

/** Settings that are options of the library: what they may be is said there. */
import type { z } from "zod";
import { number } from "../browser/settings.js";
import { optionFacts } from "../library.js";

/** An option that is a number, within the range that people choose from; it starts as the schema says, or at `start`. */
export function optionSetting(schema: z.ZodType, start?: number) {
  const { default: standard, usual, step, least, most, whole } = optionFacts(schema);
  const [min, max] = usual ?? [least, most];
  return number(start ?? Number(standard), { min, max, step: whole ? 1 : (step ?? "any") });
}

/** What there is to choose from. */
export const choicesOf = <Word extends string>(schema: z.ZodType<Word>): readonly Word[] =>
  optionFacts(schema).choices as Word[];

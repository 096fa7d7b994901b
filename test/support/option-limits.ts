/** The limits of options, for tests that pin them. */
import type { z } from "zod";
import { limitsInWords, optionFacts } from "../../src/options.js";

/** The limits of every number among the options of a schema, in words. */
export const limitsOf = (schema: z.ZodObject): Record<string, string> =>
  Object.fromEntries(
    Object.entries(schema.shape).flatMap(([name, part]) => {
      const facts = optionFacts(part as z.ZodType);
      return facts.kind === "number" ? [[name, limitsInWords(facts)]] : [];
    }),
  );

/** The options whose usual range their own schema refuses at one of its ends. */
export const unusual = (schema: z.ZodObject): string[] =>
  Object.entries(schema.shape).flatMap(([name, part]) => {
    const { usual = [] } = optionFacts(part as z.ZodType);
    const ends = usual.map((end) => (part as z.ZodType).safeParse(end).success);
    const [least, most] = usual;
    return ends.every(Boolean) && !((least ?? 0) >= (most ?? 1)) ? [] : [name];
  });

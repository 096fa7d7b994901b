import { describe, expect, it } from "vitest";
import { z } from "zod";
import { FlowError } from "./errors.js";
import { defaultInWords, limitsInWords, option, optionFacts, optionValue, resolved } from "./options.js";

const depth = option(z.number().int().positive().max(64), "layers", { usual: [1, 8] });
const share = option(z.number().positive().lt(1), "a share");
const seed = option(z.number().int().nonnegative(), "a seed");
const decay = option(z.number().nonnegative().lt(1), "a decay");
const law = option(z.enum(["geometric", "poisson"]), "a law");

describe("the facts of an option", () => {
  it("are those of its schema, also behind a default or where it may be left out", () => {
    for (const schema of [depth, depth.default(3), depth.optional()]) {
      const facts = optionFacts(schema);
      expect(facts).toMatchObject({ sentence: "layers", usual: [1, 8], kind: "number", whole: true });
      expect(facts).toMatchObject({ least: 1, most: 64 });
    }
    expect(optionFacts(depth)).toMatchObject({ required: true, default: undefined });
    expect(optionFacts(depth.default(3))).toMatchObject({ required: false, default: 3 });
    expect(optionFacts(law)).toMatchObject({ kind: "choice", choices: ["geometric", "poisson"] });
    expect(optionFacts(z.boolean()).kind).toBe("boolean");
  });

  it.each([
    [depth, "1 to 64"],
    [share, "above 0 and below 1"],
    [decay, "from 0 on and below 1"],
    [seed, "from 0 on"],
    [z.number().positive().max(1e6), "above 0 and at most 1e6"],
    [z.number(), ""],
    [z.number().min(-2).max(2), "-2 to 2"],
  ])("have limits in words (%#)", (schema, words) => {
    expect(limitsInWords(optionFacts(schema))).toBe(words);
  });

  it.each([
    [share.default(1e-5), "1e-5"],
    [share.default(0.98), "0.98"],
    [law.default("poisson"), "poisson"],
    [z.array(depth).default([4, 4]), "4, 4"],
    [z.array(depth).default([]), "none"],
    [option(depth, "", { absent: "no stem" }).optional(), "no stem"],
    [depth, null],
  ])("have the start in words (%#)", (schema, words) => {
    expect(defaultInWords(optionFacts(schema))).toBe(words);
  });
});

describe("a wrong value", () => {
  const complaint = (schema: z.ZodType, value: unknown): string => {
    try {
      optionValue(schema, value, "--x");
    } catch (error) {
      expect(error).toBeInstanceOf(FlowError);
      expect((error as FlowError).code).toBe("usage");
      return (error as FlowError).message;
    }
    throw new Error("it was taken");
  };

  it.each([
    [depth, 0, "--x must be a positive whole number, not 0"],
    [depth, "many", "--x must be a positive whole number, not 'many'"],
    [depth, 1.5, "--x must be a positive whole number, not 1.5"],
    [depth, 65, "--x must be at most 64, not 65"],
    [seed, -1, "--x must be a whole number from 0 on, not -1"],
    [share, 0, "--x must be a positive number, not 0"],
    [share, Number.NaN, "--x must be a positive number, not NaN"],
    [share, 1, "--x must be below 1, not 1"],
    [share, 2, "--x must be below 1, not 2"],
    [decay, -1, "--x must be a number from 0 on, not -1"],
    [law, "normal", "--x must be one of geometric, poisson, not 'normal'"],
    [z.boolean(), 1, "--x must be true or false, not 1"],
  ])("is told what it must be (%#)", (schema, value, message) => {
    expect(complaint(schema, value)).toBe(message);
  });

  it("is named among the options of a function", () => {
    const schema = z.strictObject({
      depth: depth.default(3),
      law: law.optional(),
      betas: z.tuple([decay, decay]).default([0.9, 0.999]),
    });
    expect(resolved(schema, { depth: undefined }, "f")).toEqual({ depth: 3, betas: [0.9, 0.999] });
    expect(() => resolved(schema, { depth: 99 }, "f")).toThrow("f: depth must be at most 64, not 99");
    expect(() => resolved(schema, { betas: [0.9, 1] }, "f")).toThrow(/^f: betas\.1: .*<1/);
    expect(() => resolved(schema, { growth: 3 }, "f")).toThrow(
      "f has no option 'growth', only depth, law, betas",
    );
  });
});

import { expect, it } from "vitest";
import { limitsOf, unusual } from "../../test/support/option-limits.js";
import { fitSchema, trainingSchema } from "./options.js";

it("limits the numbers of a training, and calls usual only what is allowed", () => {
  const limits = {
    steps: "1 to 1e12",
    batch: "1 to 1e6",
    seed: "from 0 on",
    learningRate: "above 0",
    warmUp: "from 0 on",
    clip: "above 0",
    l2: "from 0 on",
    epsilon: "above 0",
    averaging: "above 0 and below 1",
  };
  expect(limitsOf(trainingSchema)).toEqual(limits);
  expect(limitsOf(fitSchema)).toEqual(limits);
  expect(unusual(trainingSchema)).toEqual([]);
});

it("has defaults for what a preset would say", () => {
  expect(fitSchema.parse({})).toEqual({
    steps: 1000,
    batch: 500,
    seed: 0,
    learningRate: 1e-3,
    schedule: [],
    warmUp: 0,
    l2: 1e-5,
    betas: [0.9, 0.999],
    epsilon: 1e-8,
    objective: "likelihood",
  });
});

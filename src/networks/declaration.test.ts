import { expect, it } from "vitest";
import { limitsOf, unusual } from "../../test/support/option-limits.js";
import { kernelsOf, networkSchema } from "./declaration.js";

it("limits the numbers of a network, and calls usual only what is allowed", () => {
  expect(limitsOf(networkSchema)).toEqual({
    stem: "1 to 4096",
    depth: "1 to 64",
    growth: "1 to 4096",
    coeff: "above 0 and below 1",
    lip: "above 0 and below 1",
    powerIterations: "1 to 10000",
    spectralTolerance: "from 0 on",
    learnConcatenationFrom: "from 0 on",
  });
  expect(unusual(networkSchema)).toEqual([]);
});

it("has a kernel for every layer, and one for the closing one", () => {
  expect(kernelsOf({ depth: 2 })).toEqual([1, 1, 1]);
  expect(kernelsOf({ depth: 2, kernel: 3 })).toEqual([3, 3, 1]);
  expect(kernelsOf({ depth: 2, kernel: [3, 1, 3] })).toEqual([3, 1, 3]);
  expect(() => kernelsOf({ depth: 2, kernel: [3, 1] })).toThrow(
    "a network of depth 2 has 3 layers with its closing one, not the 2 of kernels 3-1",
  );
});

it.each([
  ["a list of kernels for other layers", { kernel: [3, 1] }, ["kernel"]],
  ["an activation before concatenated layers", { kind: "dense", preactivation: true }, ["preactivation"]],
  ["an activation before a stem", { preactivation: true, stem: 4 }, ["preactivation"]],
  ["one before layers that follow one another", { preactivation: true }, null],
  ["a kernel for each", { kernel: [3, 1, 1] }, null],
])("judges %s", (_, change, place) => {
  const network = {
    ...{ kind: "multilayer", depth: 2, growth: 4, activation: "CPila", coeff: 0.9, lip: 0.9 },
    ...{ powerIterations: 5, learnConcatenationFrom: 0 },
  };
  const { error } = networkSchema.safeParse({ ...network, ...change });
  expect(error?.issues.map(({ path }) => path) ?? null).toEqual(place && [place]);
});

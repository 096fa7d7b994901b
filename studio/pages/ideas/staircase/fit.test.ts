import { expect, it } from "vitest";
import { byEstimates, unlimit } from "../../../../test/support/networks.js";
import { Flow, monotoneFlow, Table } from "../../../library.js";
import { fitOf, lossOfStep } from "./fit.js";

const grid = new Table(
  200,
  1,
  Float64Array.from({ length: 200 }, (_, i) => -2 + 0.02 * i),
);

it.each([
  ["a contraction", 1, 0],
  ["no contraction", 12, 1],
] as const)("shows what there is of %s, and counts the rest", async (_, factor, least) => {
  const flow = await Flow.create(byEstimates(monotoneFlow({ dim: 1, blocks: 2, growth: 8, depth: 1 })));
  if (factor > 1) unlimit(flow.parameters, factor);
  const { value, failed } = await fitOf({ flow }, grid, []);
  expect(value.filter(Number.isNaN)).toHaveLength(failed);
  expect(Math.min(failed, 1)).toBe(least);
  expect(failed).toBeLessThan(200);
});

it("knows no loss of a step whose solves missed their tolerance", async () => {
  const step = (unconverged: number) =>
    lossOfStep({ advance: async () => ({ loss: 0.5, evaluations: 3, unconverged }) });
  expect(await step(0)).toBe(0.5);
  expect(await step(1)).toBeNaN();
});

import { expect, it, vi } from "vitest";
import { farFromIdentity } from "../../test/support/flows.js";
import { byEstimates, unlimit } from "../../test/support/networks.js";
import { testRandom } from "../../test/support/rows.js";
import { Monotone } from "../bijections/monotone.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { Table } from "../table.js";
import { FailedRows } from "./failed-rows.js";
import { Flow } from "./flow.js";
import { type ImageFlowOptions, imageFlow } from "./image-flow.js";
import { monotoneFlow } from "./monotone-flow.js";
import { logDetOfChain, logDetOfMap, workOfChain } from "./numerical-log-det.js";

const SMALL: ImageFlowOptions = {
  channels: 1,
  height: 4,
  width: 4,
  levels: 17,
  blocks: [1, 1],
  growth: 2,
  depth: 1,
  connected: { blocks: 1, stem: 4, growth: 2 },
};

it.each([
  ["monotone", {}],
  ["monotone", { scale: Math.SQRT2 }],
  ["residual", { factorOut: true }],
  ["inverse-residual", {}],
] as const)("whole Jacobians of %s blocks are those of differences (%#)", async (formulation, options) => {
  const flow = await Flow.create(imageFlow({ ...SMALL, formulation, ...options }), {
    engine: new ReferenceEngine(),
    capacity: 2,
  });
  const random = testRandom(51);
  await farFromIdentity(flow, random, { weights: 1.5 });
  const x = new Table(2, 16);
  for (let i = 0; i < x.values.length; i++) x.values[i] = 17 * random.uniform();
  const { logDet } = await flow.forward(x, { exact: true });
  const failures = new FailedRows();
  const numerical = await logDetOfChain(flow, x, failures);
  expect(failures.count).toBe(0);
  numerical.forEach((value, i) => {
    expect(value).toBeCloseTo(logDet[i], 6);
  });
});

async function small() {
  const flow = await Flow.create(
    imageFlow({ ...SMALL, blocks: [1], connected: { blocks: 0, stem: 1, growth: 2 } }),
    {
      engine: new ReferenceEngine(),
      capacity: 2,
    },
  );
  const x = new Table(1, 16);
  for (let i = 0; i < 16; i++) x.values[i] = 8 + 8 * Math.sin(i);
  return { flow, x };
}

it.each([1, -1])("knows nothing where the equation of a block is off, above or below (%d)", async (sign) => {
  const { flow, x } = await small();
  const { equation } = Monotone.prototype;
  let off = 0;
  const changed = vi.spyOn(Monotone.prototype, "equation").mockImplementation(function (
    this: Monotone,
    ...ends
  ) {
    const { point, sum } = equation.apply(this, ends);
    return { point, sum: sum.map((value, i) => (i === 5 ? value + sign * off : value)) };
  });
  const logDet = async () => (await logDetOfChain(flow, x, new FailedRows()))[0];
  const right = await logDet();
  off = 0.5e-9;
  expect(await logDet()).toBe(right);
  off = 2e-8;
  expect(await logDet()).toBeNaN();
  changed.mockRestore();
});

it("knows its work: for every block the differences along each direction, and a solve", async () => {
  const { flow } = await small();
  const [{ block }] = flow.blocks;
  expect(workOfChain(flow)).toBe((2 * 16 + 40) * block.network.gradientLength * 4);
});

it("is that of the whole map of vectors, in the units of their columns, and counts all rows that fail", async () => {
  // More directions than a pass takes differences of.
  const dim = 11;
  const standardisation = {
    mean: Array.from({ length: dim }, (_, j) => j),
    deviation: Array.from({ length: dim }, (_, j) => (j === 0 ? 2000 : 1 / (1 + j))),
  };
  const declaration = byEstimates(monotoneFlow({ dim, blocks: 1, growth: 4, standardisation }));
  const flow = await Flow.create(declaration, { engine: new ReferenceEngine() });
  await farFromIdentity(flow, testRandom(52));
  const random = testRandom(53);
  const { mean, deviation } = standardisation;
  const x = Table.from([0, 1, 2].map(() => mean.map((m, j) => m + deviation[j] * random.normal())));
  const { logDet } = await flow.forward(x);
  const numerical = await logDetOfMap(flow, x, new FailedRows());
  numerical.forEach((value, i) => {
    expect(value).toBeCloseTo(logDet[i], 7);
  });
  unlimit(flow.parameters, 100);
  const failures = new FailedRows();
  for (const value of await logDetOfMap(flow, x, failures)) expect(value).toBeNaN();
  // Two neighbours along each direction, numbered one after the other.
  expect([...failures.entries()].map(([row]) => row)).toEqual(
    Array.from({ length: 2 * dim * 3 }, (_, i) => i),
  );
});

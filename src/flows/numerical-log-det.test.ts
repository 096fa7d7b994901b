import { expect, it } from "vitest";
import { farFromIdentity } from "../../test/support/flows.js";
import { testRandom } from "../../test/support/rows.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { Table } from "../table.js";
import { FailedRows } from "./failed-rows.js";
import { Flow } from "./flow.js";
import { type ImageFlowOptions, imageFlow } from "./image-flow.js";
import { logDetOfChain } from "./numerical-log-det.js";

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

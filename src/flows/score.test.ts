/** The score, d log p / dx, against central differences of log p on the reference engine, in float64. */
import { describe, expect, it } from "vitest";
import { farFromIdentity } from "../../test/support/flows.js";
import { testRandom } from "../../test/support/rows.js";
import { toySource } from "../data/source.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { Table } from "../table.js";
import { FailedRows } from "./failed-rows.js";
import { Flow } from "./flow.js";
import { imageFlow } from "./image-flow.js";
import { decodeFlow, encodeFlow } from "./model-encoding.js";
import { type FlowOptions, monotoneFlow } from "./monotone-flow.js";

const rows = toySource("moons").test(1, 9);
const H = 1e-5;

async function differences(flow: Flow, x: Table): Promise<Table> {
  const out = new Table(x.rows, x.columns);
  for (let j = 0; j < x.columns; j++) {
    const [ahead, behind] = await Promise.all(
      [H, -H].map((h) => {
        const moved = Table.copy(x);
        for (let i = 0; i < x.rows; i++) moved.row(i)[j] += h;
        return flow.logProb(moved);
      }),
    );
    for (let i = 0; i < x.rows; i++) out.row(i)[j] = (ahead[i] - behind[i]) / (2 * H);
  }
  return out;
}

const largest = (a: Table, b: Table) =>
  a.values.reduce((most, value, i) => Math.max(most, Math.abs(value - b.values[i])), 0);

describe.each<[string, Partial<FlowOptions>]>([
  [
    "a Monotone Flow with actnorms on standardised columns",
    { actnorm: true, standardisation: { mean: [0.5, -1], deviation: [2, 0.25] } },
  ],
  ["a Monotone Flow with a scale on a Student t", { scale: Math.SQRT2, base: { kind: "student-t" } }],
  [
    "a residual flow on a mixture",
    { formulation: "residual", activation: "CLipSwish", base: { kind: "mixture" } },
  ],
  ["an inverse residual flow", { formulation: "inverse-residual" }],
])("of %s", (_, options) => {
  const declaration = monotoneFlow({ dim: 2, blocks: 2, depth: 2, growth: 8, ...options });

  it("is the slope of log p, on both engines, in passes", async () => {
    const judge = await Flow.create(declaration, { engine: new ReferenceEngine(), capacity: 4 });
    await farFromIdentity(judge, testRandom(5));
    const right = await differences(judge, rows);
    const scale = Math.max(...right.values.map(Math.abs));
    expect(largest(await judge.score(rows), right)).toBeLessThan(1e-7 * scale);
    const flow = await decodeFlow(encodeFlow(judge));
    expect(largest(await flow.score(rows), right)).toBeLessThan(1e-4 * scale);
  });

  it("leaves nothing to training", async () => {
    const flow = await Flow.create(declaration);
    const before = flow.parameters.values.slice();
    await flow.score(rows);
    const left = new Float64Array(flow.gradients.gradientLength);
    await flow.gradients.takeGradient(left);
    expect(left.every((value) => value === 0)).toBe(true);
    expect(flow.parameters.values).toEqual(before);
  });
});

it("of a normal distribution is -x", async () => {
  const flow = await Flow.create(monotoneFlow({ dim: 2, blocks: 1 }), { engine: new ReferenceEngine() });
  flow.parameters.values.fill(0);
  const score = await flow.score(rows);
  score.values.forEach((value, i) => {
    expect(value).toBeCloseTo(-rows.values[i], 9);
  });
});

it("has no number outside of the support, and none that a failed solve gives", async () => {
  const flow = await Flow.create(monotoneFlow({ dim: 2, blocks: 1 }));
  const failures = new FailedRows();
  const score = await flow.score(
    [
      [1, 2],
      [1e300, 0],
    ],
    { failures },
  );
  expect([...score.row(0)].every(Number.isFinite)).toBe(true);
  expect([...score.row(1)]).toEqual([Number.NaN, Number.NaN]);
  expect(failures.count).toBe(0);
  await expect(flow.score([[1, 2]], { seed: 1 } as object)).rejects.toThrow("score has no option 'seed'");
});

it("is refused where log-determinants are estimates", async () => {
  const flow = await Flow.create(
    imageFlow({
      channels: 1,
      height: 2,
      width: 2,
      blocks: [1],
      growth: 4,
      connected: { blocks: 0, growth: 4 },
    }),
  );
  await expect(flow.score([[1, 2, 3, 4]])).rejects.toThrow(/estimates its log-determinants/);
});

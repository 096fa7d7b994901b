import { describe, expect, it } from "vitest";
import { byEstimates, unlimit } from "../../test/support/networks.js";
import { normalRows, testRandom } from "../../test/support/rows.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { WasmEngine } from "../engine/wasm/engine.js";
import { Table } from "../table.js";
import { FailedRows } from "./failed-rows.js";
import { Flow } from "./flow.js";
import { imageFlow } from "./image-flow.js";
import { monotoneFlow } from "./monotone-flow.js";

const engines = [
  ["reference", async () => new ReferenceEngine()],
  ["wasm", () => WasmEngine.create()],
] as const;

/** The blocks of this flow are no contractions: for some rows its solves fail. */
async function steepFlow(options: Parameters<typeof Flow.create>[1] = {}): Promise<Flow> {
  const flow = await Flow.create(byEstimates(monotoneFlow({ dim: 2, blocks: 3, depth: 2, growth: 8 })), {
    seed: 3,
    capacity: 64,
    ...options,
  });
  unlimit(flow.parameters, 5);
  return flow;
}

const rows = Table.from(normalRows(testRandom(7), 80, 2, 3));

async function failuresOf(flow: Flow, table: Table, first = 0) {
  const failures = new FailedRows();
  const { z, logDet } = await flow.forward(table, { failures, first });
  return { failures, z, logDet };
}

describe.each(engines)("on the %s engine", (_, create) => {
  it("a row that fails among others is one that fails alone, and is NaN", async () => {
    const flow = await steepFlow({ engine: await create() });
    const { failures, z, logDet } = await failuresOf(flow, rows);
    const alone: number[] = [];
    for (let i = 0; i < rows.rows; i++) {
      const one = await failuresOf(flow, rows.slice(i, i + 1), i);
      alone.push(...one.failures.list());
    }
    expect(failures.list()).toEqual(alone);
    expect(failures.rows).toBe(rows.rows);
    // Few and many in a pass: with and without samples that went on alone.
    expect(failures.count).toBeGreaterThan(3);
    expect(failures.count).toBeLessThan(rows.rows - 3);
    expect(failures.unconverged).toBe(failures.count);
    const failed = new Set(alone);
    for (let i = 0; i < rows.rows; i++) {
      const numbers = [...z.row(i), logDet[i]];
      expect(numbers.every(failed.has(i) ? Number.isNaN : Number.isFinite), `row ${i}`).toBe(true);
    }
    for (const [, place] of failures.entries()) expect([1, 2, 3]).toContain(place);
  });
});

it("maps throw where a row fails and nobody collects", async () => {
  const flow = await steepFlow();
  const complaint = {
    code: "numerical",
    message: expect.stringMatching(
      /^\d+ of \d+ rows failed: the solver missed its tolerance in block.*; certify\(\) tells /,
    ),
  };
  await expect(flow.logProb(rows)).rejects.toMatchObject(complaint);
  await expect(flow.forward(rows)).rejects.toMatchObject(complaint);
  await expect(flow.inverse(rows)).rejects.toMatchObject(complaint);
  await expect(flow.sample(800)).rejects.toMatchObject(complaint);
});

it("an image whose solve fails is found among others", async () => {
  const flow = await Flow.create(
    byEstimates(
      imageFlow({
        ...{ channels: 1, height: 4, width: 4, levels: 16, depth: 1, growth: 8 },
        ...{ blocks: [1], connected: { blocks: 1, stem: 4, growth: 4 } },
      }),
    ),
    { engine: new ReferenceEngine(), capacity: 4, seed: 2 },
  );
  unlimit(flow.parameters, 4);
  const noise = normalRows(testRandom(9), 6, 16);
  const pixels = Table.from(noise.map((row) => row.map((x) => 16 * (Math.abs(x) % 1))));
  const failures = new FailedRows();
  const logProb = await flow.logProb(pixels, { failures });
  expect(failures.unconverged).toBeGreaterThan(0);
  expect(failures.unconverged).toBeLessThan(6);
  expect(logProb.map((x) => Number(Number.isNaN(x)))).toEqual(
    logProb.map((_, i) => Number(failures.list().includes(i))),
  );
});

it("says what failed where", () => {
  const failures = new FailedRows();
  failures.rows = 10;
  failures.check();
  failures.add(7, 2);
  failures.add(3, 0);
  failures.add(4, 2);
  expect(failures.list()).toEqual([3, 4, 7]);
  expect(failures).toMatchObject({ count: 3, unconverged: 2, notFinite: 1 });
  expect(failures.describe("sample")).toBe(
    "3 of 10 samples failed: the solver missed its tolerance in block 2; in 1 of them the result is not finite",
  );
});

it("a result that is not finite is a failure, too", async () => {
  const flow = await Flow.create(monotoneFlow({ dim: 2, blocks: 1, actnorm: true }));
  const [scale] = flow.parameters.list.filter(({ name }) => name.endsWith("logScale"));
  scale.values.fill(1e3);
  await expect(flow.forward([[1, 1]])).rejects.toThrow(/^1 of 1 rows failed: the result is not finite/);
});

it("maps use the parameters that the flow has, though nobody has sent them", async () => {
  const flow = await Flow.create(monotoneFlow({ dim: 2, blocks: 1, actnorm: true }));
  const before = await flow.logProb(rows);
  const [shift] = flow.parameters.list.filter(({ name }) => name.endsWith("shift"));
  shift.values[0] += 0.5;
  const after = await flow.logProb(rows);
  expect(after).not.toEqual(before);
  flow.prepare();
  expect(await flow.logProb(rows)).toEqual(after);
});

import { expect, it } from "vitest";
import { byEstimates, unlimit } from "../../test/support/networks.js";
import { rankPrograms } from "../../test/support/rank-programs.js";
import { toySource } from "../data/source.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { WasmEngine } from "../engine/wasm/engine.js";
import { FailedRows } from "../flows/failed-rows.js";
import { Flow } from "../flows/flow.js";
import { monotoneFlow } from "../flows/monotone-flow.js";
import { Table } from "../table.js";
import { RankMaps, type RankMapsOptions, withRanks } from "./rank-maps.js";

const programs = await rankPrograms();

const declaration = monotoneFlow({
  dim: 2,
  blocks: 2,
  growth: 4,
  actnorm: true,
  standardisation: { mean: [1, -2], deviation: [2, 0.5] },
});
/** More than the shared memory of two ranks holds, and no whole number of passes. */
const ROWS = 2 * 32 * 512 + 777;
const rows = toySource("2spirals").test(0, ROWS);

/** Starts its workers after the first piece. */
const eager = (ranks: number, options: RankMapsOptions = {}): RankMapsOptions => ({
  ranks,
  patience: 0,
  program: programs.mapping,
  ...options,
});

const trainedBefore = async () => {
  const flow = await Flow.create(declaration, { seed: 4 });
  const { parameters } = flow;
  parameters.values.forEach((value, i) => {
    parameters.values[i] = value + 0.02 * Math.sin(i);
  });
  await flow.convergeNorms();
  return flow;
};

it.each([1, 2, 3])("with %i ranks gives the flow's own bits", async (ranks) => {
  const flow = await trainedBefore();
  const few = rows.slice(0, 2_000);
  const own = [
    await flow.logProb(rows),
    await flow.forward(few),
    await flow.inverse(few),
    await flow.sample(2_000, { seed: 5 }),
  ];
  await withRanks(
    flow,
    async (maps) => {
      expect(maps.ranks).toBe(ranks);
      expect(maps.remark).toBeNull();
      // Calls that are made at the same time take turns.
      const results = await Promise.all([
        maps.logProb(rows),
        maps.forward(few),
        maps.inverse(few),
        maps.sample(2_000, { seed: 5 }),
      ]);
      expect(results).toEqual(own);
    },
    eager(ranks),
  );
});

it.each([1, 2])(
  "with %i ranks finds the rows that fail, and throws where nobody collects them",
  async (ranks) => {
    const flow = await Flow.create(byEstimates(declaration), { seed: 4 });
    unlimit(flow.parameters, 12);
    const few = rows.slice(0, 2_000);
    const own = new FailedRows();
    const logProb = await flow.logProb(few, { failures: own, first: 5 });
    expect(own.count).toBeGreaterThan(10);
    expect(own.count).toBeLessThan(2_000);
    await withRanks(
      flow,
      async (maps) => {
        const failures = new FailedRows();
        expect(await maps.logProb(few, { failures, first: 5 })).toEqual(logProb);
        expect(failures).toEqual(own);
        const complaint = { code: "numerical", message: expect.stringMatching(/^\d+ of 2000 rows failed: /) };
        await expect(maps.logProb(few)).rejects.toMatchObject(complaint);
      },
      eager(ranks),
    );
  },
);

it("maps with the parameters that the flow has at the call", async () => {
  const flow = await Flow.create(declaration, { seed: 1 });
  await withRanks(
    flow,
    async (maps) => {
      const table = rows.slice(0, 2_000);
      const before = await maps.logProb(table);
      const [shift] = flow.parameters.list.filter(({ name }) => name.endsWith("shift"));
      shift.values[0] += 0.5;
      const after = await maps.logProb(table);
      expect(after).not.toEqual(before);
      expect(await flow.logProb(table)).toEqual(after);
    },
    eager(2),
  );
});

it("has the same bits in passes of another size as its flow", async () => {
  const flow = await Flow.create(declaration, { capacity: 20 });
  const table = rows.slice(0, 3_000);
  const own = await flow.logProb(table);
  await withRanks(flow, async (maps) => expect(await maps.logProb(table)).toEqual(own), eager(2));
});

it("starts no worker while less work is left than its patience, and none for no rows", async () => {
  const flow = await Flow.create(declaration);
  const nowhere = { node: () => new URL("file:///nowhere.js"), web: programs.mapping.web };
  await withRanks(
    flow,
    async (maps) => {
      expect(await maps.logProb(rows.slice(0, 400))).toHaveLength(400);
      expect(await maps.logProb([])).toHaveLength(0);
    },
    { ranks: 2, patience: Number.POSITIVE_INFINITY, program: nowhere },
  );
});

it("refuses what the flow refuses, in the same words", async () => {
  const flow = await Flow.create(declaration);
  const broken = new Table(2, 2, Float64Array.of(0, 1, Number.NaN, 2));
  await withRanks(flow, async (maps) => {
    for (const samples of [broken, new Table(1, 3)]) {
      const error = await flow.logProb(samples).catch((e) => e);
      await expect(maps.logProb(samples)).rejects.toThrow(error);
    }
    await expect(maps.sample(0)).rejects.toThrow("the number of samples must be a positive integer");
  });
  for (const ranks of [0, 1.5, Number.NaN]) {
    await expect(RankMaps.create(flow, { ranks })).rejects.toThrow(/ranks must be a positive whole number/);
  }
  const exact = await Flow.create(declaration, { engine: new ReferenceEngine() });
  await expect(RankMaps.create(exact)).rejects.toThrow(/need a flow on the WebAssembly engine/);
});

it.each([
  ["throws", "at the start", /^rank [12] of 3 died: this rank throws$/],
  ["throws", "midway", /^rank [12] of 3 died: this rank throws$/],
  ["exits", "at the start", /^rank [12] of 3 died: its thread ended with code 0$/],
  ["exits", "midway", /^rank [12] of 3 died: its thread ended with code 0$/],
  ["fails later", "midway", /^rank [12] of 3 died: this rank fails later$/],
] as const)("ends with an error when a rank %s %s, and works again", async (death, when, message) => {
  const flow = await Flow.create(declaration);
  const maps = await RankMaps.create(flow, eager(3, { program: programs.dying(death, when) }));
  try {
    await expect(maps.logProb(rows.slice(0, 5_000))).rejects.toMatchObject({
      code: "internal",
      message: expect.stringMatching(message),
    });
    expect(await maps.logProb(rows.slice(0, 100))).toEqual(await flow.logProb(rows.slice(0, 100)));
  } finally {
    await maps.close();
  }
});

it("ends with an error when a thread cannot be started, and ends the others", async () => {
  const flow = await Flow.create(declaration);
  let starts = 0;
  const node = () => {
    if (++starts === 2) throw new Error("EAGAIN");
    return programs.mapping.node();
  };
  await withRanks(
    flow,
    async (maps) => {
      await expect(maps.logProb(rows.slice(0, 5_000))).rejects.toMatchObject({
        code: "internal",
        message: "only 3 of 4 threads can be started here (EAGAIN); use fewer threads",
      });
      // Later there may be room again.
      expect(await maps.logProb(rows.slice(0, 5_000))).toHaveLength(5_000);
    },
    eager(4, { program: { ...programs.mapping, node } }),
  );
});

it("says how much memory there is not", async () => {
  const engine = await WasmEngine.create();
  expect(() => engine.tensor(2e9)).toThrow(
    /^there is no memory of 8001 MB for the samples and activations of a thread \(.*\); use fewer threads/,
  );
});

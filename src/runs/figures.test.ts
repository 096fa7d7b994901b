import { describe, expect, it, vi } from "vitest";
import type { DataSource } from "../data/source.js";
import { FailedRows } from "../flows/failed-rows.js";
import type { Flow } from "../flows/flow.js";
import type { FlowMaps } from "../flows/flow-maps.js";
import { Table } from "../table.js";
import {
  densityPicture,
  learnedDensity,
  lossPicture,
  missing,
  samplesPicture,
  trueDensity,
} from "./figures.js";
import { interpolations, reconstructions } from "./image-figures.js";

// What is drawn, in place of the drawing.
vi.mock("../plots/index.js", async (original) => ({
  ...(await original<typeof import("../plots/index.js")>()),
  curveFigure: (content: unknown) => content,
  densityFigure: (content: unknown) => content,
  marginalsFigure: (content: unknown) => content,
}));

it("has densities at the centres of cells, row by row from below", async () => {
  const extent = [0, 2, -1, 1] as const;
  const density = { extent: [...extent], logDensity: (x: number, y: number) => Math.log(x + 10 * (y + 2)) };
  const expected = [15.5, 16.5, 25.5, 26.5];
  const close = (values: Float64Array) =>
    values.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i], 12);
    });
  close(trueDensity(density as unknown as Parameters<typeof trueDensity>[0], 2));
  const flow = {
    logProb: async (rows: Table) => Float64Array.from(rows.toArray(), ([x, y]) => density.logDensity(x, y)),
  };
  close(await learnedDensity(flow as unknown as Flow, [...extent], 2));
});

it("names what is missing", () => {
  const failures = new FailedRows();
  failures.rows = 9;
  expect(missing([["sample", failures]])).toBe("");
  failures.add(3, 1);
  expect(missing([["sample", failures]])).toMatch(/^1 of 9 samples failed: .*\.$/);
});

it("shows training and tests over the steps, above the entropy", () => {
  const line = { evaluations: 1, unconverged: 0, seconds: 1 };
  const metrics = [
    { ...line, step: 1, loss: 3 },
    { ...line, step: 2, loss: 2, testLoss: 2.5 },
  ];
  const picture = lossPicture(metrics, 1.5, "a run", "bits/dim") as unknown as {
    series: { name: string; x: number[]; y: number[]; style?: string }[];
  };
  expect(picture).toMatchObject({
    title: "a run",
    xLabel: "step",
    yLabel: "loss (bits/dim)",
    rules: [{ y: 1.5, label: "entropy of the data 1.500" }],
  });
  expect(picture.series.map(({ name }) => name)).toEqual(["training", "training", "test"]);
  expect(picture.series[0]).toMatchObject({ x: [1, 2], y: [3, 2], style: "faint" });
  expect(picture.series[2]).toEqual({ name: "test", x: [2], y: [2.5], style: "dots" });
  expect(lossPicture(metrics.slice(0, 1), null, "a run")).toMatchObject({
    yLabel: "loss (nats)",
    series: [{}, {}],
    rules: [],
  });
});

it("shows all samples but for the farthest thousandth on either side", () => {
  const samples = new Table(2001, 2);
  for (let i = 0; i <= 2000; i++) samples.row(i).set([i, 5]);
  expect(samplesPicture(samples, ["a", "b"], "drawn")).toEqual({
    title: "drawn",
    // From 2 to 1998 with a twentieth on either side, and something around a single value.
    extent: [2, 1998, 5, 5].map((edge, i) => expect.closeTo(edge + [-99.8, 99.8, -1, 1][i], 9)),
    xLabel: "a",
    yLabel: "b",
    panels: [{ title: "samples", points: samples }],
  });
  const one = new Table(3, 1);
  expect(samplesPicture(one, ["a"], "drawn")).toMatchObject({ names: ["a"], data: one, samples: one });
});

describe("the picture of a density", () => {
  /** A flow of the plane whose first samples fail. */
  const flow = (failing: number) =>
    ({
      sample: async (count: number, { seed, failures }: { seed: number; failures: FailedRows }) => {
        const rows = new Table(count, 2, new Float64Array(2 * count).fill(seed));
        failures.rows += count;
        for (let i = 0; i < failing; i++) failures.add(i, 1);
        return rows;
      },
      logProb: async (rows: Table) => new Float64Array(rows.rows).fill(Math.log(3)),
    }) as unknown as Flow;
  const source = (rows: number, density: object | null) =>
    ({
      ...{ name: "some data", columns: ["a", "b"], density },
      test: (_: number, count: number) => new Table(Math.min(rows, count), 2),
    }) as unknown as DataSource;

  it.each([
    [10, 1000],
    [3000, 3000],
    [90_000, 5000],
  ])("of %d rows of unknown density shows %d samples beside them", async (rows, count) => {
    const { picture, missing } = await densityPicture(flow(0), source(rows, null), 7, "words");
    const content = picture as unknown as { data: Table; samples: Table };
    expect([content.data.rows, content.samples.rows]).toEqual([Math.min(rows, 5000), count]);
    expect(content).toMatchObject({ names: ["a", "b"], title: "some data", caption: "words" });
    expect(missing).toBe("");
  });

  it("shows data, truth, what was learned and samples, and says what is missing", async () => {
    const density = { extent: [0, 1, 0, 1], logDensity: () => Math.log(2) };
    const { picture, missing } = await densityPicture(flow(2), source(10, density), 7, "words");
    expect(missing).toMatch(/^2 of 1000 samples failed/);
    expect(picture).toMatchObject({
      caption: `words. ${missing}`,
      extent: [0, 1, 0, 1],
      panels: [
        { title: "data", points: { rows: 10 } },
        { title: "true density", density: { resolution: 200 } },
        { title: "learned density", density: { resolution: 200 } },
        { title: "samples of the model", points: { rows: 998 } },
      ],
    });
    await expect(densityPicture(flow(1000), source(10, density), 7, "words")).rejects.toThrow(
      /1000 of 1000 samples failed/,
    );
  });
});

/** z = 2 x. */
const doubling = {
  forward: async (x: Table) => ({
    z: new Table(
      x.rows,
      x.columns,
      x.values.map((value) => 2 * value),
    ),
  }),
  inverse: async (z: Table) => ({
    x: new Table(
      z.rows,
      z.columns,
      z.values.map((value) => value / 2),
    ),
  }),
} as unknown as FlowMaps;

it("comes from images to images on great circles", async () => {
  const [from, to] = [
    Table.from([
      [3, 0],
      [1, 2],
    ]),
    Table.from([
      [0, 4],
      [1, 2],
    ]),
  ];
  const path = await interpolations(doubling, from, to, 3);
  const expected = [
    ...[3, 0, 1.5 * Math.SQRT2, 2 * Math.SQRT2, 0, 4],
    // The same image twice: there is no angle.
    ...[1, 2, 1, 2, 1, 2],
  ];
  expect(path.rows).toBe(6);
  path.values.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i], 7);
  });
  expect((await reconstructions(doubling, from)).values).toEqual(from.values);
});

it("has a path between images whose cosine is rounded beyond 1", async () => {
  const from = Table.from(Array.from({ length: 200 }, (_, i) => [Math.sin(i), Math.cos(i * i), 1]));
  const to = new Table(
    200,
    3,
    from.values.map((value) => 3 * value),
  );
  const path = await interpolations(doubling, from, to, 3);
  path.values.forEach((value, i) => {
    const [row, n, j] = [Math.floor(i / 9), Math.floor(i / 3) % 3, i % 3];
    expect(value).toBeCloseTo((1 + n) * from.at(row, j), 6);
  });
  const opposite = await interpolations(
    doubling,
    from,
    new Table(
      200,
      3,
      from.values.map((value) => -3 * value),
    ),
    3,
  );
  expect(opposite.values.every(Number.isFinite)).toBe(true);
});

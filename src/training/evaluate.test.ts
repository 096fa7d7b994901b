import { describe, expect, it } from "vitest";
import { type DataSource, toySource } from "../data/source.js";
import type { FlowMaps, MapOptions } from "../flows/flow-maps.js";
import { likelihood, meanSquaredError } from "../runs/score.js";
import { Table } from "../table.js";
import { bitsPerDimension, densities, evaluate, summarise } from "./evaluate.js";

/** A flow that says of each row what is in its first column, and remembers what it was asked. */
function tellingFlow(dim: number) {
  const asked: (MapOptions & { rows: number })[] = [];
  const flow: FlowMaps = {
    dim,
    async logProb(x, options = {}) {
      const table = Table.from(x);
      asked.push({ ...options, rows: table.rows });
      return Float64Array.from(table.column(0));
    },
    async forward(x) {
      const table = Table.from(x);
      return {
        z: new Table(
          table.rows,
          dim,
          table.values.map((v) => 2 * v),
        ),
        logDet: new Float64Array(table.rows),
      };
    },
    inverse: () => Promise.reject(new Error("nobody asks for it")),
    sample: () => Promise.reject(new Error("nobody asks for it")),
  };
  return { flow, asked };
}

/** A source with so many test rows, the number of each in its first column. */
function numberedSource(testRows: number | undefined, image = true): DataSource {
  const dim = 6;
  return {
    ...toySource("moons"),
    name: "numbered",
    dim,
    entropy: null,
    ...(testRows === undefined ? {} : { testRows }),
    ...(image ? { image: { shape: { channels: 1, height: 2, width: 3 }, levels: 256 } } : {}),
    test(_seed, count, first = 0) {
      const rows = Math.max(0, Math.min(count, (testRows ?? count) - first));
      const table = new Table(rows, dim);
      for (let i = 0; i < rows; i++) table.values[i * dim] = -(first + i);
      return table;
    },
  };
}

describe("densities", () => {
  it("takes every test row once, in parts, by its own number", async () => {
    const { flow, asked } = tellingFlow(6);
    const found = await densities(flow, numberedSource(1100), 4, Number.POSITIVE_INFINITY, { exact: true });
    expect(Array.from(found)).toEqual(Array.from({ length: 1100 }, (_, i) => -i));
    expect(
      asked.every(({ rows, exact }) => rows <= 512 && exact),
      "parts, and options",
    ).toBe(true);
    const firsts = asked.map(({ first = 0 }) => first);
    expect(firsts, "the number of the first row of each part").toEqual(
      asked.map((_, i) => asked.slice(0, i).reduce((sum, { rows }) => sum + rows, 0)),
    );
  });

  it("takes at most as many as asked for", async () => {
    const { flow } = tellingFlow(6);
    for (const [rows, samples, expected] of [
      [1100, 600, 600],
      [1100, 512, 512],
      [5, 600, 5],
      [undefined, 600, 600],
    ] as const) {
      const found = await densities(flow, numberedSource(rows), 4, samples);
      expect(Array.from(found)).toEqual(Array.from({ length: expected }, (_, i) => -i));
    }
  });
});

describe("an evaluation", () => {
  it("is the mean of minus the log-densities, and its standard error", () => {
    const { rows, loss, standardError, losses } = summarise(Float64Array.of(-1, -2, -4, -9));
    expect([rows, loss]).toEqual([4, 4]);
    // Squares of -3, -2, 0 and 5 over 4 - 1, then over 4.
    expect(standardError).toBeCloseTo(Math.sqrt(38 / 3 / 4), 14);
    expect(Array.from(losses)).toEqual([1, 2, 4, 9]);
  });

  it("does not know the error of one row", () => {
    expect(summarise(Float64Array.of(-2))).toMatchObject({ rows: 1, loss: 2, standardError: Number.NaN });
  });

  it("is that of the flow's densities", async () => {
    const { flow } = tellingFlow(1);
    expect(await evaluate(flow, Table.from([[-1], [-5]]))).toMatchObject({ rows: 2, loss: 3 });
  });
});

describe("the score", () => {
  it("counts bits with the logarithm to the base 2: pixels of 256 equal levels have 8 a dimension", () => {
    expect(bitsPerDimension(6 * Math.log(256), 6)).toBeCloseTo(8, 14);
    expect(bitsPerDimension(Math.log(2), 1)).toBeCloseTo(1, 14);
  });

  it("of images is in bits per dimension, their standard error and single losses as well", async () => {
    const { flow } = tellingFlow(6);
    const score = likelihood(numberedSource(1100), 4);
    expect(score).toMatchObject({ unit: "bits/dim", floor: null });
    const { rows, loss, standardError, losses } = await score.measure(flow, 3);
    const bit = 6 * Math.log(2);
    expect(score.perNat * bit).toBeCloseTo(1, 14);
    expect(rows).toBe(3);
    expect(loss * bit).toBeCloseTo(1, 14);
    expect(standardError * bit).toBeCloseTo(Math.sqrt(1 / 3), 14);
    expect(losses[2] * bit).toBeCloseTo(2, 14);
  });

  it("of other rows is in nats, beside the entropy of the data", async () => {
    const { flow } = tellingFlow(6);
    const score = likelihood({ ...numberedSource(40, false), entropy: 1.5 }, 4);
    expect(score).toMatchObject({ unit: "nats", perNat: 1, floor: 1.5 });
    expect((await score.measure(flow, 1000)).loss).toBe(19.5);
  });

  it("of a regression is the mean squared error, a dimension", async () => {
    const { flow } = tellingFlow(2);
    const pairs = Table.from([
      [1, 2, 2, 5],
      [0, -1, 4, -2],
    ]);
    const score = meanSquaredError({ ...toySource("moons"), dim: 4, test: () => pairs }, 0);
    // F doubles: errors of 0 and -1, and of -4 and 0.
    const { loss, losses, rows } = await score.measure(flow, 10);
    expect(Array.from(losses)).toEqual([0.5, 8]);
    expect([loss, rows, score.unit]).toEqual([4.25, 2, "mean squared error"]);
  });
});

it("a row outside of the support makes the loss infinite, one that failed makes it NaN", () => {
  const outside = Number.NEGATIVE_INFINITY;
  const infinite = { loss: Number.POSITIVE_INFINITY, standardError: Number.POSITIVE_INFINITY };
  expect(summarise(Float64Array.of(-1, outside, -2))).toMatchObject(infinite);
  expect(summarise(Float64Array.of(outside, outside))).toMatchObject(infinite);
  const failed = { loss: Number.NaN, standardError: Number.NaN };
  expect(summarise(Float64Array.of(-1, outside, Number.NaN))).toMatchObject(failed);
});

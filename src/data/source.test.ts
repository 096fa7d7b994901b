import { describe, expect, it } from "vitest";
import { Table } from "../table.js";
import { type DataSource, tableSource, toySource } from "./source.js";
import { staircaseSource } from "./staircase.js";

const train = Table.from([
  [1, 10],
  [2, 20],
  [3, 30],
  [4, 40],
]);
const held = Table.from([
  [5, 50],
  [6, 60],
]);
const sources: DataSource[] = [
  toySource("moons"),
  tableSource("wine", train, held, ["a", "b"]),
  staircaseSource,
];

function batch(source: DataSource, seed: number, step: number, start: number, count: number): number[] {
  const out = new Float64Array(count * source.dim);
  source.fill(out, seed, step, start, count);
  return Array.from(out);
}

describe.each(sources.map((source) => ({ name: source.name, source })))("the source $name", ({ source }) => {
  it("draws the same batch whole or in shards", () => {
    const whole = batch(source, 7, 3, 0, 20);
    expect([...batch(source, 7, 3, 0, 13), ...batch(source, 7, 3, 13, 7)]).toEqual(whole);
    expect(batch(source, 7, 3, 0, 20)).toEqual(whole);
  });

  it("draws another batch for another seed or step", () => {
    const whole = batch(source, 7, 3, 0, 20);
    expect(batch(source, 8, 3, 0, 20)).not.toEqual(whole);
    expect(batch(source, 7, 4, 0, 20)).not.toEqual(whole);
  });

  it("draws every sample of a batch by itself", () => {
    const rows = Array.from({ length: 40 }, (_, i) => batch(source, 7, 3, i, 1).join());
    // Of the table's four rows as many as there are.
    expect(new Set(rows).size).toBe(source.name === "wine" ? 4 : 40);
  });

  it("tests on other samples than those that it trains on", () => {
    const test = source.test(7, 20).toArray().map(String);
    for (let i = 0; i < 20; i++) expect(test).not.toContain(String(batch(source, 7, 0, i, 1)));
  });

  it("names its columns", () => {
    expect(source.columns).toHaveLength(source.dim);
  });
});

describe("toySource", () => {
  it("knows its density and tests on fresh draws", () => {
    const moons = toySource("moons");
    expect(moons.entropy).toBe(moons.density?.entropy);
    expect(moons.columns).toEqual(["x1", "x2"]);
    const test = moons.test(7, 100);
    expect(test.rows).toBe(100);
    expect(moons.test(7, 50).toArray()).toEqual(test.slice(0, 50).toArray());
    expect(Array.from(test.values)).not.toEqual(batch(moons, 7, 0, 0, 100));
  });

  it("refuses other names", () => {
    expect(() => toySource("moon")).toThrow(/no data set "moon" \(did you mean "moons"\?\)/);
  });
});

describe("tableSource", () => {
  const wine = sources[1];

  it("draws every row equally often, with replacement", () => {
    const drawn = batch(wine, 0, 0, 0, 4000);
    for (const [a, b] of train.toArray()) {
      const times = drawn.filter((value, i) => i % 2 === 0 && value === a && drawn[i + 1] === b).length;
      expect(Math.abs(times - 1000)).toBeLessThan(150);
    }
  });

  it("tests on the held-out rows, at most as many as asked for", () => {
    expect(wine.test(0, 100).toArray()).toEqual(held.toArray());
    expect(wine.test(0, 1).toArray()).toEqual([[5, 50]]);
    expect(wine.entropy).toBeNull();
    expect(wine.density).toBeNull();
  });

  it("refuses tables that do not fit", () => {
    expect(() => tableSource("wine", new Table(0, 2), held, ["a", "b"])).toThrow(/wine: there are no rows/);
    expect(() => tableSource("wine", train, held, ["a"])).toThrow(/1 names of columns/);
  });
});

it.each([Number.NaN, Number.POSITIVE_INFINITY])("a table that holds %f is no source", (wrong) => {
  const broken = Table.from([
    [1, 10],
    [2, wrong],
  ]);
  const message = `wine, row 2, b: ${wrong} is no finite number`;
  expect(() => tableSource("wine", broken, held, ["a", "b"])).toThrow(message);
  expect(() => tableSource("wine", train, broken, ["a", "b"])).toThrow(message);
});

import fc from "fast-check";
import { expect, it } from "vitest";
import { Table } from "../table.js";
import { splitRows } from "./split-rows.js";

it("puts every row in one of the parts, in an order that the seed decides", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 60 }),
      fc.double({ min: 0.01, max: 0.99, noNaN: true }),
      fc.nat(),
      (rows, share, seed) => {
        const table = Table.from(Array.from({ length: rows }, (_, i) => [i, 2 * i]));
        const { train, test } = splitRows(table, share, seed);
        expect(test.rows).toBe(Math.min(Math.max(Math.round(share * rows), 1), rows - 1));
        const all = [...train.toArray(), ...test.toArray()];
        expect(all.sort((a, b) => a[0] - b[0])).toEqual(table.toArray());
        expect(splitRows(table, share, seed)).toEqual({ train, test });
      },
    ),
    { numRuns: 30 },
  );
});

it("shuffles", () => {
  const table = Table.from(Array.from({ length: 100 }, (_, i) => [i]));
  const first = splitRows(table, 0.5, 1).test.toArray();
  expect(first).not.toEqual(table.slice(0, 50).toArray());
  expect(first).not.toEqual(splitRows(table, 0.5, 2).test.toArray());
});

it("refuses what cannot be split", () => {
  expect(() => splitRows(new Table(1, 1), 0.5, 0)).toThrow(/at least 2 rows/);
  for (const share of [0, 1, -1, Number.NaN])
    expect(() => splitRows(new Table(9, 1), share, 0)).toThrow(/between 0 and 1/);
});

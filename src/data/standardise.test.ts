import { expect, it } from "vitest";
import { Table } from "../table.js";
import { standardisation } from "./standardise.js";

it("gives the mean and the population standard deviation", () => {
  const { mean, deviation } = standardisation(
    Table.from([
      [1, -2],
      [3, -2],
      [5, 4],
    ]),
  );
  expect(mean).toEqual([3, 0]);
  expect(deviation[0]).toBeCloseTo(Math.sqrt(8 / 3), 14);
  expect(deviation[1]).toBeCloseTo(Math.sqrt(8), 14);
});

it("keeps its accuracy far from the origin", () => {
  const { mean, deviation } = standardisation(Table.from([[1e9 + 1], [1e9 + 2], [1e9 + 3]]));
  expect(mean).toEqual([1e9 + 2]);
  expect(deviation[0]).toBeCloseTo(Math.sqrt(2 / 3), 14);
});

it("refuses constant columns, also those that differ by rounding only", () => {
  const constant = Table.from(Array.from({ length: 1000 }, (_, i) => [i, 0.1]));
  expect(() => standardisation(constant)).toThrow(/^column 2: every row has the same value, 0.1,/);
  expect(() => standardisation(constant, ["a", "pH"])).toThrow(/^pH: every row has the same value, 0.1,/);
  expect(() => standardisation(Table.from([[0.3], [0.1 + 0.2]]))).toThrow(/^column 1/);
  expect(() => standardisation(Table.from([[0], [0]]))).toThrow(/^column 1/);
  expect(() => standardisation(Table.from([[1, 2]]))).toThrow(/^column 1/);
});

it("refuses tables without rows and numbers that cannot be squared", () => {
  expect(() => standardisation(new Table(0, 2))).toThrow(/without rows/);
  expect(() => standardisation(Table.from([[1e200], [-1e200]]))).toThrow(/^column 1: .*too large/);
});

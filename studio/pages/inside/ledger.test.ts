import { expect, it } from "vitest";
import { testRandom } from "../../../test/support/rows.js";
import { sumOf, type Term } from "../../library.js";
import { ledgerOf } from "./ledger.js";

const random = testRandom(5);
const names = [
  "base",
  ...Array.from({ length: 20 }, (_, i) => `block ${i + 1} (monotone)`),
  "standardisation",
];
const terms: Term[] = names.map((name) => ({
  name,
  values: Float64Array.from({ length: 200 }, () => random.normal()),
}));

it("shows terms that add up to log p(x) as it is shown, each right to the last decimal", () => {
  const logProb = sumOf(terms, 200);
  let apart = 0;
  for (let i = 0; i < 200; i++) {
    const ledger = ledgerOf(terms, i, 4);
    expect(ledger?.total).toBe(Math.round(1e4 * logProb[i]));
    expect(ledger?.entries.reduce((sum, { units }) => sum + units, 0)).toBe(ledger?.total);
    ledger?.entries.forEach(({ units }, n) => {
      expect(Math.abs(units - 1e4 * terms[n].values[i])).toBeLessThan(1 + 1e-9);
    });
    const rounded = terms.reduce((sum, { values }) => sum + Math.round(1e4 * values[i]), 0);
    if (rounded !== ledger?.total) apart++;
  }
  // Terms that are rounded one by one would seldom add up.
  expect(apart).toBeGreaterThan(50);
});

it("starts each term where the one before it ends, and names it", () => {
  const ledger = ledgerOf(terms, 3, 4);
  let sum = 0;
  for (const { before, units } of ledger?.entries ?? []) {
    expect(before).toBe(sum);
    sum += units;
  }
  expect(ledger?.entries.map(({ name }) => name).filter((_, n) => [0, 1, 21].includes(n))).toEqual([
    "base",
    "block 1 (monotone)",
    "standardisation",
  ]);
});

it.each([Number.NaN, Number.NEGATIVE_INFINITY])("has no entries where log p(x) is %s", (value) => {
  expect(ledgerOf([{ name: "base", values: Float64Array.of(value) }, terms[1]], 0, 4)).toBeNull();
});

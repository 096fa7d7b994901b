import { expect, it } from "vitest";
import { fine, inWords, isClear, leastBy, meanOf, standing } from "./estimate.js";

it("takes the standard error of a mean from the spread of its numbers", () => {
  const { value, standardError } = meanOf([1, 2, 3, 6]);
  expect(value).toBe(3);
  expect(standardError).toBeCloseTo(Math.sqrt(14 / 3 / 4), 14);
  expect(meanOf([5]).standardError).toBeNaN();
});

it("says ahead of more than two standard errors over three training seeds, and of nothing less", () => {
  // The mean is 1, its standard error s for the leads 1 - s sqrt 3, 1, 1 + s sqrt 3.
  const leads = (s: number, sign = 1) => [-1, 0, 1].map((side) => sign * (1 + side * s * Math.sqrt(3)));
  expect(standing(leads(0.49))).toBe("ahead");
  expect(standing(leads(0.51))).toBe("level");
  expect(standing(leads(0.49, -1))).toBe("behind");
  expect(standing([1, 1.1])).toBe("not known");
  expect(standing([1, 1.1, Number.NaN])).toBe("not known");
});

it("never calls a difference clear whose error is not known", () => {
  expect(isClear({ value: 1, standardError: 0.49 })).toBe(true);
  expect(isClear({ value: 1, standardError: 0.5 })).toBe(false);
  expect(isClear({ value: 1, standardError: Number.NaN })).toBe(false);
  expect(isClear({ value: Number.NaN, standardError: 0.1 })).toBe(false);
});

it("passes over nothing that is not a number", () => {
  const least = (...numbers: number[]) => leastBy(numbers, (x) => x);
  expect([least(3, 1, 2), least(1), least(2, Number.NEGATIVE_INFINITY)]).toEqual([
    1,
    1,
    Number.NEGATIVE_INFINITY,
  ]);
  for (const numbers of [
    [Number.NaN, 1, 2],
    [1, Number.NaN, 0],
    [1, 2, Number.NaN],
  ]) {
    expect(least(...numbers)).toBeNaN();
  }
});

it("writes numbers with their errors", () => {
  expect(inWords({ value: -1.23456, standardError: 0.01 })).toBe("−1.235 ± 0.010");
  expect(fine({ value: 0.00129, standardError: 0.0006 })).toBe("0.0013 ± 0.0006");
  expect(inWords({ value: 2, standardError: Number.NaN })).toBe("2.000");
});

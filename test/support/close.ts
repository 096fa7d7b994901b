import { expect } from "vitest";

type Numbers = ArrayLike<number>;

/** Expects every difference to be below `tolerance` times the larger of `floor` and the largest expected value. */
export function expectClose(
  actual: Numbers,
  expected: Numbers,
  tolerance: number,
  what = "values",
  floor = 1,
): void {
  expect(actual.length, `number of ${what}`).toBe(expected.length);
  let scale = floor;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    scale = Math.max(scale, Math.abs(expected[i]));
    worst = Math.max(worst, Math.abs(actual[i] - expected[i]));
  }
  expect(worst / scale, `largest relative error of ${what}`).toBeLessThanOrEqual(tolerance);
}

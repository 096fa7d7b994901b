import { describe, expect, it } from "vitest";
import {
  boundedRoulette,
  MOST_EXACT_TERMS,
  ROULETTE_TOLERANCE,
  rouletteDeviation,
} from "./bounded-roulette.js";
import { type Roulette, survival } from "./roulette.js";
import { traceCoefficient } from "./series.js";

const formulations = [
  ["residual", 1, 0],
  ["inverse residual", -1, 0],
  ["monotone", -1, 1],
] as const;

/** Mean and deviation over all N of the estimate for J = slope in one dimension. */
function moments(roulette: Roulette, plus: number, minus: number, slope: number) {
  let [mean, squares, estimate] = [0, 0, 0];
  // So many terms that those left out have no weight in float64.
  for (let n = 1; n < roulette.exact + 1800; n++) {
    estimate += (traceCoefficient(plus, minus, n) * slope ** n) / survival(roulette, n);
    const probability = survival(roulette, n) - survival(roulette, n + 1);
    if (probability === 0) continue;
    mean += probability * estimate;
    squares += probability * estimate ** 2;
  }
  return { mean, deviation: Math.sqrt(Math.max(0, squares - mean ** 2)) };
}

describe.each(formulations)("of a %s block", (_, plus, minus) => {
  it.each([0.5, 0.9, 0.98])(
    "keeps the tolerance for every slope up to a bound of %d, just so",
    (lipschitz) => {
      for (const tolerance of [ROULETTE_TOLERANCE, 1e-3]) {
        const series = { lipschitz, plus, minus };
        const roulette = boundedRoulette(series, tolerance, 0);
        const promised = rouletteDeviation(series, roulette);
        expect(promised).toBeLessThanOrEqual(tolerance);
        let largest = 0;
        for (const slope of [-1, -0.99, 0.3, 0.9, 1].map((part) => part * lipschitz)) {
          const { mean, deviation } = moments(roulette, plus, minus, slope);
          expect(mean).toBeCloseTo(plus * Math.log1p(slope) + minus * Math.log1p(-slope), 9);
          expect(deviation).toBeLessThanOrEqual(promised * (1 + 1e-6) + 1e-7);
          largest = Math.max(largest, deviation);
        }
        // The bound is reached, and one exact term less would not do.
        expect(largest).toBeGreaterThan(promised * (1 - 1e-4));
        const { exact } = roulette;
        expect(rouletteDeviation(series, { ...roulette, exact: exact - 1 })).toBeGreaterThan(tolerance);
      }
    },
  );
});

it("knows no bound for a Poisson law, nor for a geometric one that is too short", () => {
  const series = { lipschitz: 0.9, plus: -1, minus: 1 };
  expect(rouletteDeviation(series, { law: "poisson", rate: 2, exact: 20 })).toBe(Number.POSITIVE_INFINITY);
  expect(rouletteDeviation(series, { law: "geometric", rate: 0.2, exact: 20 })).toBe(
    Number.POSITIVE_INFINITY,
  );
  expect(rouletteDeviation(series, { law: "geometric", rate: 0.15, exact: 20 })).toBeLessThan(1);
});

it("has at least the exact terms that it is told, at most a thousand, and refuses what is no contraction", () => {
  const series = (lipschitz: number) => ({ lipschitz, plus: -1, minus: 1 });
  expect(boundedRoulette(series(0), 1e-3, 7).exact).toBe(7);
  const { exact } = boundedRoulette(series(0.999), 1e-3, 7);
  expect(exact).toBe(MOST_EXACT_TERMS);
  for (const lipschitz of [1, 1.2, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => boundedRoulette(series(lipschitz), 1e-3, 7)).toThrow(/only the series of a contraction/);
  }
});

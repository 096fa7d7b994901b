import { describe, expect, it } from "vitest";
import { Purpose, Random } from "../model/random.js";
import { drawTerms, type Roulette, survival, weights } from "./roulette.js";

const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));

/** P(N = n), from the laws themselves. */
function probability({ law, rate, exact }: Roulette, n: number): number {
  const beyond = n - exact;
  if (law === "geometric") return beyond < 1 ? 0 : rate * (1 - rate) ** (beyond - 1);
  return beyond < 0 ? 0 : (Math.exp(-rate) * rate ** beyond) / factorial(beyond);
}

const roulettes: Roulette[] = [
  { law: "poisson", rate: 2, exact: 0 },
  { law: "poisson", rate: 2, exact: 10 },
  { law: "poisson", rate: 0.3, exact: 3 },
  { law: "geometric", rate: 0.5, exact: 0 },
  { law: "geometric", rate: 0.5, exact: 10 },
  { law: "geometric", rate: 0.1, exact: 3 },
];
/** So many terms that those beyond them have no weight in float64. */
const MANY = 120;

describe.each(roulettes)("$law roulette of rate $rate after $exact exact terms", (roulette) => {
  const counts = Array.from({ length: MANY }, (_, n) => n);

  it("survives with the probability of the terms that are left", () => {
    for (const k of counts.slice(0, roulette.exact + 12)) {
      const below = counts.slice(0, k).reduce((sum, n) => sum + probability(roulette, n), 0);
      expect(survival(roulette, k), `P(N >= ${k})`).toBeCloseTo(1 - below, 12);
    }
  });

  it("estimates a sum without bias: every term counts 1 / P(N >= k) times", () => {
    // A sum of finitely many terms: all that N draws beyond the last one gives the same.
    const last = roulette.exact + 6;
    const term = (k: number) => 0.66 ** k / (k + 1);
    const estimate = (n: number) => weights(roulette, n).reduce((sum, w, k) => sum + w * term(k), 0);
    let mean = 0;
    let left = 1;
    for (let n = 0; n < last; n++) {
      mean += probability(roulette, n) * estimate(n);
      left -= probability(roulette, n);
    }
    mean += left * estimate(last);
    const sum = counts.slice(0, last + 1).reduce((total, k) => total + term(k), 0);
    expect(mean).toBeCloseTo(sum, 11);
  });

  it("leaves exact terms as they are, and gives more weight to those that come by chance", () => {
    const { exact } = roulette;
    const own = weights(roulette, exact + 3);
    expect(Array.from(own.subarray(0, exact + 1)), "exact terms").toEqual(Array(exact + 1).fill(1));
    expect(own[exact + 2], "the second term beyond").toBeGreaterThan(1);
    expect(own[exact + 3], "the third term beyond").toBeGreaterThan(own[exact + 2]);
    expect(own.length).toBe(exact + 4);
  });

  // One cell leaves 4.5 standard errors with the probability 7e-6; the seed is fixed.
  it("draws as many terms as its law says", () => {
    const draws = 20_000;
    const drawn = new Float64Array(MANY + 1000);
    const random = new Random(5, Purpose.testing);
    for (let i = 0; i < draws; i++) drawn[drawTerms(roulette, random)]++;
    for (const n of counts) {
      const p = probability(roulette, n);
      const allowed = 4.5 * Math.sqrt(draws * p * (1 - p)) + 1;
      expect(Math.abs(drawn[n] - draws * p), `draws of ${n} terms`).toBeLessThan(allowed);
    }
  });
});

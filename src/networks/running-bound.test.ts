import fc from "fast-check";
import { expect, it } from "vitest";
import type { Parameter } from "../model/parameters.js";
import { spectralNormBound } from "./matrix-norm-bound.js";
import { type Effort, RunningBound } from "./running-bound.js";

const weight = (values: number[]): Parameter => ({
  ...{ name: "w", owner: "", shape: [2, 3], learned: true, learnFrom: 0, gradient: new Float64Array(0) },
  values: Float64Array.from(values),
});

it("holds for every weight that the certified one is changed to", () => {
  // Whole thousandths: no squares that vanish.
  const entry = fc.integer({ min: -3000, max: 3000 }).map((n) => n / 1000);
  const six = fc.array(entry, { minLength: 6, maxLength: 6 });
  fc.assert(
    fc.property(six, six, (first, second) => {
      const w = weight(first);
      const bound = new RunningBound(w, 1);
      expect(bound.known()).toBe(Number.POSITIVE_INFINITY);
      const norm = () => spectralNormBound(w.values, 2, 3);
      const certified = bound.certified("certain", norm);
      expect(bound.known()).toBe(certified);
      w.values.set(second);
      const change = Math.hypot(...second.map((x, i) => x - first[i]));
      expect(bound.known()).toBeGreaterThanOrEqual(norm() * (1 - 1e-12));
      expect(bound.known()).toBeCloseTo(certified + change, 10);
    }),
  );
});

it("certifies a weight again after it has changed, and once for every effort", () => {
  const w = weight([1, 2, 3, 4, 5, 6]);
  const bound = new RunningBound(w, 1);
  let asked = 10;
  const certify = () => --asked;
  const certified = (effort: Effort) => bound.certified(effort, certify);
  expect([certified("certain"), certified("certain")]).toEqual([9, 9]);
  // What was asked in between changes nothing.
  expect([certified("tight"), certified("tight"), certified("certain")]).toEqual([8, 8, 9]);
  expect(bound.known()).toBe(8);
  w.values[4] += 1e-12;
  expect([certified("certain"), certified("tight")]).toEqual([7, 6]);
});

import { expect, it } from "vitest";
import { squaredNormOnTori } from "./convolution-symbol.js";
import { spectralNormBound } from "./matrix-norm-bound.js";
import { TapProducts } from "./tap-products.js";

/** The largest squared norm of the symbols on one torus, of taps of n x n numbers, by explicit matrices. */
function onTorus(taps: readonly Float64Array[], n: number, p: number, q: number, a: number, b: number) {
  let largest = 0;
  for (let i = 0; i < p; i++)
    for (let j = 0; j < q; j++) {
      const symbol = new Float64Array(4 * n * n);
      taps.forEach((tap, k) => {
        const angle = 2 * Math.PI * ((Math.floor(k / 3) * (i + a)) / p + ((k % 3) * (j + b)) / q);
        tap.forEach((value, at) => {
          const [o, c] = [Math.floor(at / n), at % n];
          symbol[o * 2 * n + c] += value * Math.cos(angle);
          symbol[o * 2 * n + n + c] -= value * Math.sin(angle);
          symbol[(n + o) * 2 * n + c] += value * Math.sin(angle);
          symbol[(n + o) * 2 * n + n + c] += value * Math.cos(angle);
        });
      });
      largest = Math.max(largest, spectralNormBound(symbol, 2 * n, 2 * n));
    }
  return largest ** 2;
}

it.each([1, 2, 3].flatMap((n) => [[n, 3, 2] as const, [n, 4, 4] as const]))(
  "is the least over its tori of their largest squared norm: %d channels on %d x %d",
  (n, height, width) => {
    for (let seed = 0; seed < 8; seed++) {
      const taps = Array.from({ length: 9 }, (_, k) =>
        Float64Array.from({ length: n * n }, (_, i) => Math.sin(1 + seed + (k * n * n + i + seed) ** 2)),
      );
      const tori = [height + 1, height + 2].flatMap((p) =>
        [width + 1, width + 2].flatMap((q) =>
          [0, 0.5].flatMap((a) => [0, 0.5].map((b) => onTorus(taps, n, p, q, a, b))),
        ),
      );
      const squared = squaredNormOnTori(new TapProducts(taps, n, n), height, width, 0);
      expect(squared).toBeGreaterThanOrEqual(Math.min(...tori) * (1 - 1e-12));
      // Each is certified to a part in a thousand, or one more where an estimate was too low.
      expect(squared).toBeLessThanOrEqual(Math.min(...tori) * 1.0021);
    }
  },
);

it("is never less than what is known to be reached", () => {
  const taps = Array.from({ length: 9 }, () => Float64Array.of(0.1));
  expect(squaredNormOnTori(new TapProducts(taps, 1, 1), 3, 3, 5)).toBeCloseTo(5, 10);
});

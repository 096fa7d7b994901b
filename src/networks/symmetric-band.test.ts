import fc from "fast-check";
import { expect, it } from "vitest";
import { spectralNormBound } from "./matrix-norm-bound.js";
import { SymmetricBand } from "./symmetric-band.js";

const bands = fc
  .tuple(fc.integer({ min: 1, max: 25 }), fc.integer({ min: 0, max: 24 }))
  .chain(([size, most]) =>
    fc
      .array(
        fc.integer({ min: -3000, max: 3000 }).map((n) => n / 1000),
        { minLength: size * size, maxLength: size * size },
      )
      .map((entries) => {
        const band = new SymmetricBand(size, Math.min(most, size - 1));
        const dense = new Float64Array(size * size);
        for (let i = 0; i < size; i++)
          for (let j = Math.max(0, i - band.reach); j <= i; j++) {
            band.entries[band.row(i) + j] = dense[i * size + j] = dense[j * size + i] = entries[i * size + j];
          }
        return { band, dense };
      }),
  );

/** Of a symmetric matrix: that of A + c I, which has no negative eigenvalue, less c. */
function exact(dense: Float64Array, size: number): { eigenvalue: number; shift: number } {
  const shift = 1 + dense.reduce((sum, x) => sum + Math.abs(x), 0);
  const shifted = dense.map((x, i) => (i % (size + 1) === 0 ? x + shift : x));
  return { eigenvalue: spectralNormBound(shifted, size, size) - shift, shift };
}

it("separates numbers above the largest eigenvalue from those below", () => {
  fc.assert(
    fc.property(bands, ({ band, dense }) => {
      const { eigenvalue, shift } = exact(dense, band.size);
      expect(band.isBelow(eigenvalue + 1e-11 * shift)).toBe(true);
      expect(band.isBelow(eigenvalue - 1e-11 * shift)).toBe(false);
    }),
    { numRuns: 200 },
  );
});

it("multiplies, and estimates the largest eigenvalue from below", () => {
  fc.assert(
    fc.property(bands, ({ band, dense }) => {
      const { size } = band;
      const x = Float64Array.from({ length: size }, (_, i) => Math.cos(3 * i));
      const y = new Float64Array(size).fill(7);
      band.multiply(x, y);
      for (let i = 0; i < size; i++) {
        expect(y[i]).toBeCloseTo(
          x.reduce((sum, value, j) => sum + dense[i * size + j] * value, 0),
          10,
        );
      }
      const { eigenvalue, shift } = exact(dense, size);
      const estimate = band.largestEigenvalue(60);
      expect(estimate).toBeLessThanOrEqual(eigenvalue + 1e-11 * shift);
      expect(estimate).toBeGreaterThanOrEqual(eigenvalue - 1e-6 * shift);
    }),
    { numRuns: 200 },
  );
});

it("refuses what is not a number", () => {
  const band = new SymmetricBand(3, 1);
  band.entries[band.row(1) + 0] = Number.NaN;
  expect(band.isBelow(5)).toBe(false);
});

it("knows what rounding can hide, and that an eigenvalue of its own is not below it", () => {
  const band = new SymmetricBand(5, 2);
  // The wider the band, the more is added up: (b + 4) (2 b + 2) roundings of mu.
  expect(band.slack(8)).toBe(6 * 6 * Number.EPSILON * 8);
  // Of the matrix 0, too: the diagonal of its factor would be 0.
  expect(band.isBelow(0)).toBe(false);
  expect(band.isBelow(Number.MIN_VALUE)).toBe(true);
  expect(band.largestEigenvalue(5)).toBe(0);
});

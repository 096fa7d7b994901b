import fc from "fast-check";
import { expect, it } from "vitest";
import { bilinear, gramNormBound, powerIteration, spectralNormBound } from "./spectral-norm.js";

const matrices = fc
  .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }))
  .chain(([rows, columns]) =>
    fc.record({
      rows: fc.constant(rows),
      columns: fc.constant(columns),
      // Whole thousandths: squares that vanish would trouble the power iteration that is compared with here.
      weight: fc.array(
        fc.integer({ min: -3000, max: 3000 }).map((n) => n / 1000),
        {
          minLength: rows * columns,
          maxLength: rows * columns,
        },
      ),
    }),
  );

it("bounds the norm from above, and power iteration approaches it from below", () => {
  fc.assert(
    fc.property(matrices, ({ rows, columns, weight }) => {
      const bound = spectralNormBound(weight, rows, columns);
      const w = Float64Array.from(weight);
      const u = Float64Array.from({ length: rows }, (_, i) => 1 + 0.1 * Math.sin(7 * i));
      const v = new Float64Array(columns);
      powerIteration(w, rows, columns, u, v, 20000);
      const sigma = bilinear(w, u, v);
      expect(sigma).toBeLessThanOrEqual(bound * (1 + 1e-14));
      // A few products of matrices bound it, too: at most by the 16th root of the rank too high.
      const cheap = gramNormBound(weight, rows, columns);
      if (bound > 0) expect(cheap).toBeGreaterThanOrEqual(bound * (1 - 1e-12));
      if (bound > 0)
        expect(cheap).toBeLessThanOrEqual(bound * Math.min(rows, columns) ** (1 / 16) * (1 + 1e-9));
      // Frobenius and spectral norm differ by at most the root of the rank.
      const frobenius = Math.hypot(...weight);
      expect(bound).toBeLessThanOrEqual(frobenius * (1 + 1e-12));
      expect(bound * Math.sqrt(Math.min(rows, columns))).toBeGreaterThanOrEqual(frobenius * (1 - 1e-12));
    }),
    { numRuns: 100 },
  );
});

it("is exact on a matrix of known singular values", () => {
  // diag(3, 2) between two rotations.
  const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
  const [p, q] = [Math.cos(-1.9), Math.sin(-1.9)];
  const weight = [
    3 * c * p - 2 * s * q,
    -3 * c * q - 2 * s * p,
    3 * s * p + 2 * c * q,
    -3 * s * q + 2 * c * p,
  ];
  expect(spectralNormBound(weight, 2, 2)).toBeCloseTo(3, 13);
  expect(spectralNormBound(weight, 2, 2)).toBeGreaterThanOrEqual(3 - 1e-15);
});

it("keeps its promise for entries whose squares overflow or vanish", () => {
  for (const scale of [1e-300, 1e-160, 1e200]) {
    const bound = spectralNormBound(
      [3, 0, 0, 2].map((x) => x * scale),
      2,
      2,
    );
    expect(bound / scale).toBeCloseTo(3, 12);
    expect(bound).toBeGreaterThanOrEqual(3 * scale * (1 - 1e-15));
    // NaN and Infinity prove nothing.
    const cheap = gramNormBound(
      [3, 0, 0, 2].map((x) => x * scale),
      2,
      2,
    );
    expect(cheap < 3 * scale).toBe(false);
  }
});

it("knows no bound for what is not finite", () => {
  for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(spectralNormBound([1, wrong, 0, 1], 2, 2)).toBe(Number.POSITIVE_INFINITY);
    expect(gramNormBound([1, wrong, 0, 1], 2, 2) < Number.POSITIVE_INFINITY).toBe(false);
  }
});

import fc from "fast-check";
import { expect, it } from "vitest";
import { expectClose } from "../../test/support/close.js";
import { testRandom } from "../../test/support/rows.js";
import { Parameters } from "../model/parameters.js";
import { MatrixNorm } from "./matrix-norm.js";
import { gramNormBound, spectralNormBound } from "./matrix-norm-bound.js";
import { bilinear, normalise, powerIteration } from "./power-iteration.js";

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

it.each([
  [1, 3],
  [3, 2],
  [4, 7],
  [6, 5],
  [9, 8],
])(
  "power iteration takes the products that it names, and finds the known singular vectors of %i x %i",
  (rows, columns) => {
    const random = testRandom(92);
    const unit = (n: number) => {
      const x = Float64Array.from({ length: n }, () => random.normal());
      normalise(x);
      return x;
    };
    const [left, right] = [unit(rows), unit(columns)];
    const rank1 = Float64Array.from({ length: rows * columns }, (_, i) => {
      return 3 * left[Math.floor(i / columns)] * right[i % columns];
    });
    const [u, v] = [unit(rows), new Float64Array(columns)];
    powerIteration(rank1, rows, columns, u, v, 2);
    const sign = Math.sign(u[0] * left[0]);
    expectClose(
      u,
      left.map((x) => sign * x),
      1e-13,
      "left singular vector",
    );
    expectClose(
      v,
      right.map((x) => sign * x),
      1e-13,
      "right singular vector",
    );
    expect(bilinear(rank1, u, v)).toBeCloseTo(3, 12);
    // One round is v = W^T u / |.|, u = W v / |.|.
    const weight = rank1.map((x) => x + 0.5 * random.normal());
    const start = unit(rows);
    u.set(start);
    powerIteration(weight, rows, columns, u, v, 1);
    const across = right.map((_, c) => start.reduce((sum, x, r) => sum + x * weight[r * columns + c], 0));
    normalise(across);
    expectClose(v, across, 1e-13, "v after one round");
    const along = left.map((_, r) => across.reduce((sum, x, c) => sum + x * weight[r * columns + c], 0));
    const length = normalise(along);
    expectClose(u, along, 1e-13, "u after one round");
    expect(bilinear(weight, u, v)).toBeCloseTo(length, 12);
  },
);

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

it("ends its power iteration where a round changes the norm by less than is asked for", () => {
  const made = () => {
    const random = testRandom(93);
    const parameters = new Parameters();
    const weight = parameters.learned(
      "weight",
      [6, 5],
      Float64Array.from({ length: 30 }, () => random.normal()),
    );
    const norm = new MatrixNorm(parameters, "g", 0, weight, random);
    parameters.seal();
    return norm;
  };
  const norms = Array.from({ length: 50 }, (_, n) => {
    const norm = made();
    norm.iterate(n, 0);
    return norm.sigma();
  });
  for (const tolerance of [0.1, 0.01, 1e-4]) {
    const rounds = norms.findIndex((sigma, n) => n > 1 && sigma - norms[n - 1] <= tolerance * sigma);
    expect(rounds).toBeGreaterThan(1);
    for (const [most, done] of [
      [50, rounds],
      [rounds - 1, rounds - 1],
    ]) {
      const norm = made();
      norm.iterate(most, tolerance);
      expect(norm.sigma()).toBeCloseTo(norms[done], 13);
    }
  }
});

/** Certified upper bounds on the largest singular value of a matrix (docs/math.md, "Certified bounds"). */

/** Squarings of the Gram matrix: the bound is at most rank^(1/16) times the norm. */
const SQUARINGS = 2;
/** Room for the Gram matrix and its square. */
let grams = [new Float64Array(256), new Float64Array(256)];

/**
 * An upper bound on the largest singular value of a row-major rows x columns matrix, by a few products of matrices:
 * |W|^8 = |A^4| <= |A^4|_F with A = W W^T or W^T W, the smaller one (Gram iteration, Delattre et al. 2023). Infinity or
 * not a number for entries whose squares vanish or overflow.
 */
export function gramNormBound(weight: ArrayLike<number>, rows: number, columns: number): number {
  const short = Math.min(rows, columns);
  const long = Math.max(rows, columns);
  if (grams[0].length < short * short) grams = [0, 1].map(() => new Float64Array(short * short));
  let [gram, square] = grams;
  const [step, across] = rows <= columns ? [columns, 1] : [1, columns];
  let trace = 0;
  for (let i = 0; i < short; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0, a = i * step, b = j * step; k < long; k++, a += across, b += across)
        sum += weight[a] * weight[b];
      gram[i * short + j] = gram[j * short + i] = sum;
    }
    trace += gram[i * (short + 1)];
  }
  // Squares that vanish would be missed.
  if (!(trace > 1e-200)) return Number.POSITIVE_INFINITY;
  // With trace 1 no power overflows.
  for (let i = 0; i < short * short; i++) gram[i] /= trace;
  for (let n = 0; n < SQUARINGS; n++) {
    for (let i = 0; i < short; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = 0;
        for (let k = 0, a = i * short, b = j * short; k < short; k++, a++, b++) sum += gram[a] * gram[b];
        square[i * short + j] = square[j * short + i] = sum;
      }
    }
    [gram, square] = [square, gram];
  }
  let squares = 0;
  for (let i = 0; i < short * short; i++) squares += gram[i] * gram[i];
  const power = 2 ** (SQUARINGS + 2);
  // Entries of A are off by `long` roundings of its trace, those of squares by `short` of their norm, which is at least
  // 1 / short of the trace.
  const rounding = 1 + 4 * (long + short) * short ** 2 * Number.EPSILON;
  return Math.sqrt(trace) * squares ** (1 / power) * rounding;
}

/**
 * The largest singular value of a row-major rows x columns matrix, from above: one-sided Jacobi rotations make
 * the shorter side's vectors orthogonal to rounding, and what is left of their inner products is bounded by
 * Gershgorin's theorem. A true upper bound, unlike a power iteration. Infinity where an entry is not finite.
 */
export function spectralNormBound(weight: ArrayLike<number>, rows: number, columns: number): number {
  const short = Math.min(rows, columns);
  // Entries of at most 1, so that no square overflows or vanishes.
  let scale = 0;
  for (let i = 0; i < rows * columns; i++) {
    if (!Number.isFinite(weight[i])) return Number.POSITIVE_INFINITY;
    scale = Math.max(scale, Math.abs(weight[i]));
  }
  if (scale === 0) return 0;
  const vectors = Array.from({ length: short }, (_, i) =>
    rows <= columns
      ? Float64Array.from({ length: columns }, (_, c) => weight[i * columns + c] / scale)
      : Float64Array.from({ length: rows }, (_, r) => weight[r * columns + i] / scale),
  );
  const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, x, i) => sum + x * b[i], 0);
  for (let sweep = 0; sweep < 60; sweep++) {
    let rotated = false;
    for (let i = 0; i < short; i++) {
      for (let j = i + 1; j < short; j++) {
        const a = vectors[i];
        const b = vectors[j];
        const aa = dot(a, a);
        const bb = dot(b, b);
        const ab = dot(a, b);
        if (Math.abs(ab) <= 1e-15 * Math.sqrt(aa * bb)) continue;
        rotated = true;
        const tau = (bb - aa) / (2 * ab);
        const t = (tau >= 0 ? 1 : -1) / (Math.abs(tau) + Math.hypot(1, tau));
        const cosine = 1 / Math.hypot(1, t);
        const sine = t * cosine;
        for (let k = 0; k < a.length; k++) {
          const x = a[k];
          a[k] = cosine * x - sine * b[k];
          b[k] = sine * x + cosine * b[k];
        }
      }
    }
    if (!rotated) break;
  }
  let bound = 0;
  for (const a of vectors)
    bound = Math.max(
      bound,
      vectors.reduce((sum, b) => sum + Math.abs(dot(a, b)), 0),
    );
  // The rotations' and the products' own rounding: a few units for every entry of a vector.
  return scale * Math.sqrt(bound) * (1 + 4 * Number.EPSILON * Math.max(rows, columns));
}

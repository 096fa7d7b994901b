/**
 * Spectral normalisation: W / max(1, sigma / coeff), sigma the largest singular value of W, followed by power
 * iteration (Miyato et al. 2018; Gouk et al. 2021). With u and v held constant, sigma = u^T W v and
 * dsigma/dW = u v^T.
 */

import type { Parameter, ParameterMaker } from "../model/parameters.js";
import type { Random } from "../model/random.js";
import { type Effort, RunningBound } from "./running-bound.js";

/** The spectral norm of one weight: power iteration from below, and a certificate from above. */
export interface SpectralNorm {
  /**
   * At most `rounds` rounds of power iteration, fewer where sigma changes by less than the share `tolerance` in one.
   * A promise where the engine is asked; otherwise it has happened on return.
   */
  iterate(rounds: number, tolerance: number): Promise<void> | undefined;
  /** sigma = u^T W v, for the weight as it is now and the vectors as they were left. */
  sigma(): number;
  /** Adds sigmaBar dsigma/dW to the weight's gradient. */
  addGradient(sigmaBar: number): void;
  /** An upper bound on the norm of the weight. */
  bound(effort: Effort): number;
}

/** That of a matrix. */
export class MatrixNorm implements SpectralNorm {
  readonly #weight: Parameter;
  readonly #left: Parameter;
  readonly #right: Parameter;
  readonly #running: RunningBound;

  constructor(parameters: ParameterMaker, name: string, layer: number, weight: Parameter, random: Random) {
    const [rows, columns] = weight.shape;
    this.#weight = weight;
    this.#running = new RunningBound(weight, 1);
    this.#left = parameters.state(
      `${name}.left.${layer}`,
      [rows],
      Float64Array.from({ length: rows }, () => random.normal()),
    );
    this.#right = parameters.state(`${name}.right.${layer}`, [columns], new Float64Array(columns));
  }

  iterate(rounds: number, tolerance: number): undefined {
    const [rows, columns] = this.#weight.shape;
    const round = (count: number) =>
      powerIteration(this.#weight.values, rows, columns, this.#left.values, this.#right.values, count);
    if (tolerance === 0) {
      round(rounds);
      return;
    }
    for (let n = 0, before = Number.NaN; n < rounds; n++) {
      round(1);
      const sigma = this.sigma();
      if (Math.abs(sigma - before) <= tolerance * sigma) return;
      before = sigma;
    }
  }

  sigma(): number {
    return bilinear(this.#weight.values, this.#left.values, this.#right.values);
  }

  /** dsigma/dW = u v^T. */
  addGradient(sigmaBar: number): void {
    const { gradient } = this.#weight;
    const [left, right] = [this.#left.values, this.#right.values];
    for (let r = 0, i = 0; r < left.length; r++) {
      const rowBar = sigmaBar * left[r];
      for (let c = 0; c < right.length; c++, i++) gradient[i] += rowBar * right[c];
    }
  }

  bound(effort: Effort): number {
    if (effort === "known") return this.#running.known();
    const [rows, columns] = this.#weight.shape;
    const { values } = this.#weight;
    if (effort === "cheap")
      return this.#running.certified("cheap", () => gramNormBound(values, rows, columns));
    return this.#running.certified("tight", () => spectralNormBound(values, rows, columns));
  }
}

/**
 * `iterations` rounds of v = W^T u / |.|, u = W v / |.|, then sigma = u^T W v, for a row-major
 * rows x columns matrix. u and v are changed in place. sigma never exceeds the true norm.
 */
export function powerIteration(
  weight: Float64Array,
  rows: number,
  columns: number,
  u: Float64Array,
  v: Float64Array,
  iterations: number,
): void {
  for (let n = 0; n < iterations; n++) {
    v.fill(0);
    addTransposedProduct(v, weight, rows, columns, u);
    normalise(v);
    product(u, weight, rows, columns, v);
    normalise(u);
  }
}

/** u^T W v. */
export function bilinear(weight: Float64Array, u: Float64Array, v: Float64Array): number {
  if (image.length < u.length) image = new Float64Array(u.length);
  product(image, weight, u.length, v.length, v);
  let sum = 0;
  for (let r = 0; r < u.length; r++) sum += u[r] * image[r];
  return sum;
}

/** Room for W v. */
let image = new Float64Array(64);

// Both products take four rows at a time: a single running sum would wait for every addition before the next.

/** out = W v. */
function product(
  out: Float64Array,
  weight: Float64Array,
  rows: number,
  columns: number,
  v: Float64Array,
): void {
  let r = 0;
  for (; r + 3 < rows; r += 4) {
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let c = 0, i = r * columns; c < columns; c++, i++) {
      const x = v[c];
      s0 += weight[i] * x;
      s1 += weight[i + columns] * x;
      s2 += weight[i + 2 * columns] * x;
      s3 += weight[i + 3 * columns] * x;
    }
    out[r] = s0;
    out[r + 1] = s1;
    out[r + 2] = s2;
    out[r + 3] = s3;
  }
  for (; r < rows; r++) {
    let sum = 0;
    for (let c = 0, i = r * columns; c < columns; c++, i++) sum += weight[i] * v[c];
    out[r] = sum;
  }
}

/** out += W^T u. */
function addTransposedProduct(
  out: Float64Array,
  weight: Float64Array,
  rows: number,
  columns: number,
  u: Float64Array,
): void {
  let r = 0;
  for (; r + 3 < rows; r += 4) {
    const u0 = u[r];
    const u1 = u[r + 1];
    const u2 = u[r + 2];
    const u3 = u[r + 3];
    for (let c = 0, i = r * columns; c < columns; c++, i++) {
      out[c] =
        out[c] +
        u0 * weight[i] +
        u1 * weight[i + columns] +
        u2 * weight[i + 2 * columns] +
        u3 * weight[i + 3 * columns];
    }
  }
  for (; r < rows; r++) {
    for (let c = 0, i = r * columns; c < columns; c++, i++) out[c] += u[r] * weight[i];
  }
}

/** Scales a vector to length 1, or leaves it 0. Returns its length before. */
export function normalise(x: Float64Array): number {
  let squares = 0;
  for (let i = 0; i < x.length; i++) squares += x[i] * x[i];
  const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
  for (let i = 0; i < x.length; i++) x[i] *= scale;
  return Math.sqrt(squares);
}

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

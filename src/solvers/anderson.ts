/**
 * Fixed point with Anderson acceleration (Anderson 1965; Walker and Ni 2011, "type II"; per sample as in deep
 * equilibrium models, Bai et al. 2019). With the differences dw_j and dr_j of the newest point w and its residual r
 * to those of the points before it,
 *
 *   gamma = argmin |r - sum_j gamma_j dr_j|^2 + ridge,   w <- w - r - sum_j gamma_j (dw_j - dr_j),
 *
 * which is the fixed-point step where nothing is known, and the secant method in one dimension. As sums of the plain
 * steps u = w - r of all points, the newest has the weight 1 - sum of gamma, the others gamma_j.
 *
 * Safeguard: a point whose residual (Euclidean norm) is not below that of the best point so far is taken back, the
 * memory forgotten, and the plain fixed-point step taken from the best point, which lowers the residual by the
 * factor Lip(G) < 1 for certain; it is taken as well after a mixed step that lowered the residual by less than 2%.
 * Each sample mixes for itself; its system of at most `memory` equations is solved on the host, in float64.
 */
import type { Engine } from "../engine/engine.js";
import { LaneSolver, type LaneSolverOptions } from "./lane-solver.js";

export interface AndersonOptions extends LaneSolverOptions {
  /** Differences that are mixed at most (default 5). */
  memory?: number;
}

const MEMORY = 5;
/** Added to the diagonal of the normal equations, whose columns are scaled to length 1. */
const RIDGE = 1e-8;

export class Anderson extends LaneSolver {
  readonly #memory: number;
  /** Of the sample at hand: the slots of the points before the newest, the normal equations, and gamma. */
  readonly #before: Uint8Array;
  readonly #system: Float64Array;
  readonly #scale: Float64Array;
  readonly #gamma: Float64Array;
  readonly #ridge: number;

  constructor(engine: Engine, dim: number, capacity: number, options: AndersonOptions = {}) {
    // Among more differences than dimensions some add nothing; the newest say most about G near the solution.
    const memory = Math.min(options.memory ?? MEMORY, dim);
    super(engine, dim, capacity, memory, options);
    this.#memory = memory;
    this.#before = new Uint8Array(memory);
    this.#system = new Float64Array(memory * memory);
    this.#scale = new Float64Array(memory);
    this.#gamma = new Float64Array(memory);
    // Products of float32 vectors are not known better than this.
    this.#ridge = Math.max(RIDGE, engine.epsilon);
  }

  protected mix(sample: number, newest: number): void {
    const { samples, size, weights, known } = this;
    const gamma = this.#gamma;
    let count = 0;
    for (let back = 1; back < size && count < this.#memory; back++) {
      const slot = (newest - back + size) % size;
      if (known[slot * samples + sample]) this.#before[count++] = slot;
    }
    this.#setGamma(sample, newest, count);
    let rest = 1;
    for (let j = 0; j < count; j++) {
      weights[this.#before[j] * samples + sample] = gamma[j];
      rest -= gamma[j];
    }
    weights[newest * samples + sample] = rest;
  }

  /** gamma, from the normal equations of the differences scaled to length 1. */
  #setGamma(sample: number, newest: number, count: number): void {
    const { samples, size, gram } = this;
    const product = (i: number, j: number) => gram[(i * size + j) * samples + sample];
    const system = this.#system;
    const gamma = this.#gamma;
    const before = this.#before;
    const square = product(newest, newest);
    for (let i = 0; i < count; i++) {
      const a = square - product(newest, before[i]); // <r, dr_i>
      for (let j = 0; j <= i; j++) {
        const b = product(newest, before[j]);
        system[i * count + j] = a - b + product(before[i], before[j]); // <dr_i, dr_j>
      }
      gamma[i] = a;
    }
    // Accepted residuals fall, so that no difference is zero.
    for (let i = 0; i < count; i++) this.#scale[i] = 1 / Math.sqrt(system[i * count + i]);
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < i; j++) system[i * count + j] *= this.#scale[i] * this.#scale[j];
      system[i * count + i] = 1 + this.#ridge;
      gamma[i] *= this.#scale[i];
    }
    solvePositive(system, gamma, count);
    for (let i = 0; i < count; i++) gamma[i] *= this.#scale[i];
  }
}

/** x = A^-1 x for a positive definite A of n rows, by Cholesky's factors of its lower triangle, which they replace. */
function solvePositive(a: Float64Array, x: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = a[i * n + j];
      for (let k = 0; k < j; k++) rest -= a[i * n + k] * a[j * n + k];
      a[i * n + j] = i === j ? Math.sqrt(rest) : rest / a[j * n + j];
    }
    for (let k = 0; k < i; k++) x[i] -= a[i * n + k] * x[k];
    x[i] /= a[i * n + i];
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i] -= a[k * n + i] * x[k];
    x[i] /= a[i * n + i];
  }
}

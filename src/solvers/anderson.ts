/**
 * Fixed point with Anderson acceleration (Anderson 1965; Walker and Ni 2011, "type II"; per sample as in deep
 * equilibrium models, Bai et al. 2019). With the differences dw_j and dr_j of the newest point w and its residual r
 * to those of the points before it,
 *
 *   gamma = argmin |r - sum_j gamma_j dr_j|^2 + ridge,   w <- w - r - sum_j gamma_j (dw_j - dr_j),
 *
 * which is the fixed-point step where nothing is known, and the secant method in one dimension.
 *
 * Safeguard: a point whose residual (Euclidean norm) is not below that of the best point so far is taken back, the
 * memory forgotten, and the plain fixed-point step taken from the best point, which lowers the residual by the
 * factor Lip(G) < 1 for certain. Each lane mixes for itself; its few products and its system of at most `memory`
 * equations are computed on the host, in float64.
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
  /** The last points that were accepted and their residuals: a ring of memory + 1 slots a lane. */
  readonly #points: Float64Array[];
  readonly #residuals: Float64Array[];
  readonly #newest: Uint8Array;
  readonly #known: Uint8Array;
  /** Of the lane at hand: dr_1, dr_2, ... one after the other, the normal equations, and gamma. */
  readonly #differences: Float64Array;
  readonly #gram: Float64Array;
  readonly #scale: Float64Array;
  readonly #gamma: Float64Array;

  constructor(engine: Engine, rows: number, capacity: number, options: AndersonOptions = {}) {
    super(engine, rows, capacity, options);
    // Among more differences than rows some add nothing; the newest say most about G near the solution.
    this.#memory = Math.min(options.memory ?? MEMORY, rows);
    const ring = () => Array.from({ length: this.#memory + 1 }, () => new Float64Array(rows * capacity));
    this.#points = ring();
    this.#residuals = ring();
    this.#newest = new Uint8Array(capacity);
    this.#known = new Uint8Array(capacity);
    this.#differences = new Float64Array(this.#memory * rows);
    this.#gram = new Float64Array(this.#memory * this.#memory);
    this.#scale = new Float64Array(this.#memory);
    this.#gamma = new Float64Array(this.#memory);
  }

  protected override begin(): void {
    this.#known.fill(0);
  }

  protected next(lane: number, failures: number): void {
    if (failures === 0) {
      this.#remember(lane, this.point, this.residual);
      this.#mix(lane);
    } else if (failures === 1) {
      this.#known[lane] = 0;
      this.#remember(lane, this.best, this.bestResidual);
      this.plainStep(lane, this.best, this.bestResidual);
    } else {
      this.plainStep(lane, this.point, this.residual);
    }
  }

  #remember(lane: number, point: Float64Array, residual: Float64Array): void {
    const slot = (this.#newest[lane] + 1) % this.#points.length;
    for (let i = lane; i < this.rows * this.lanes; i += this.lanes) {
      this.#points[slot][i] = point[i];
      this.#residuals[slot][i] = residual[i];
    }
    this.#newest[lane] = slot;
    this.#known[lane] = Math.min(this.#known[lane] + 1, this.#points.length);
  }

  /** The slot of the j-th point before the newest. */
  #slot(lane: number, j: number): number {
    return (this.#newest[lane] - j + this.#points.length) % this.#points.length;
  }

  #mix(lane: number): void {
    const { rows, lanes, point } = this;
    const count = this.#known[lane] - 1;
    this.#setDifferences(lane, count);
    this.#setWeights(lane, count);
    this.plainStep(lane, point, this.residual);
    const newest = this.#points[this.#newest[lane]];
    for (let j = 0; j < count; j++) {
      const before = this.#points[this.#slot(lane, j + 1)];
      for (let r = 0, i = lane; r < rows; r++, i += lanes) {
        point[i] -= this.#gamma[j] * (newest[i] - before[i] - this.#differences[j * rows + r]);
      }
    }
  }

  #setDifferences(lane: number, count: number): void {
    const { rows, lanes, residual } = this;
    for (let j = 0; j < count; j++) {
      const before = this.#residuals[this.#slot(lane, j + 1)];
      for (let r = 0, i = lane; r < rows; r++, i += lanes) {
        this.#differences[j * rows + r] = residual[i] - before[i];
      }
    }
  }

  /** gamma, from the normal equations of the differences scaled to length 1. */
  #setWeights(lane: number, count: number): void {
    const { rows, lanes, residual } = this;
    const gram = this.#gram;
    const gamma = this.#gamma;
    for (let i = 0; i < count; i++) {
      for (let j = 0; j <= i; j++) gram[i * count + j] = this.#product(i, j);
      gamma[i] = 0;
      for (let r = 0, l = lane; r < rows; r++, l += lanes) {
        gamma[i] += this.#differences[i * rows + r] * residual[l];
      }
    }
    // Accepted residuals fall, so that no difference is zero.
    for (let i = 0; i < count; i++) this.#scale[i] = 1 / Math.sqrt(gram[i * count + i]);
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < i; j++) gram[i * count + j] *= this.#scale[i] * this.#scale[j];
      gram[i * count + i] = 1 + RIDGE;
      gamma[i] *= this.#scale[i];
    }
    solvePositive(gram, gamma, count);
    for (let i = 0; i < count; i++) gamma[i] *= this.#scale[i];
  }

  #product(i: number, j: number): number {
    const { rows } = this;
    let sum = 0;
    for (let r = 0; r < rows; r++) sum += this.#differences[i * rows + r] * this.#differences[j * rows + r];
    return sum;
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

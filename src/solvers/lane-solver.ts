/**
 * What the solvers of w + sign G(w) = target that need only values of G have in common (math.md, "Two regimes"):
 * one residual r(w) = w + sign G(w) - target a lane, and lanes that stop one by one.
 *
 * The vectors of a solve (rows x lanes) are kept on the host in float64. Only the points and the values of G are
 * read from the engine, once an evaluation; whatever G is made of stays there.
 */
import type { Engine, Matrix } from "../engine/engine.js";
import type { SolverCounts } from "./newton.js";

/**
 * A map G on an engine, one row a channel and one lane a sample, the lanes independent of each other: a network's
 * values, or products with its Jacobian or the transpose of that. `evaluate` leaves G(input) in `output`.
 */
export interface LaneMap {
  readonly input: Matrix;
  readonly output: Matrix;
  evaluate(): void;
}

export interface LaneSolverOptions {
  /** Evaluations after which a lane is given up (default 1000). */
  maxEvaluations?: number;
}

const MAX_EVALUATIONS = 1000;
/** Evaluations in a row that may fail to lower a lane's residual; a contraction fails only by rounding. */
const PATIENCE = 4;

export abstract class LaneSolver {
  protected readonly rows: number;
  /** Lanes of the solve at hand: element (row, lane) of every vector stands at `row * lanes + lane`. */
  protected lanes = 0;
  /** Where each lane was evaluated last, and its residual there. */
  protected readonly point: Float64Array;
  protected readonly residual: Float64Array;
  /** The point of each lane's smallest residual (Euclidean norm), and that residual. */
  protected readonly best: Float64Array;
  protected readonly bestResidual: Float64Array;
  readonly #engine: Engine;
  readonly #maxEvaluations: number;
  readonly #target: Float64Array;
  readonly #bestNorm: Float64Array;
  readonly #failures: Uint8Array;
  readonly #open: Uint8Array;

  /** Memory for solves of `rows` rows and up to `capacity` lanes. */
  constructor(engine: Engine, rows: number, capacity: number, options: LaneSolverOptions = {}) {
    this.#engine = engine;
    this.#maxEvaluations = options.maxEvaluations ?? MAX_EVALUATIONS;
    this.rows = rows;
    const vectors = () => new Float64Array(rows * capacity);
    this.point = vectors();
    this.residual = vectors();
    this.best = vectors();
    this.bestResidual = vectors();
    this.#target = vectors();
    this.#bestNorm = new Float64Array(capacity);
    this.#failures = new Uint8Array(capacity);
    this.#open = new Uint8Array(capacity);
  }

  /**
   * Solves from the start that map.input holds, to a tolerance on the largest |residual| over
   * max(1, largest |target|, largest |w|), a lane at a time. A lane that has reached it stays where it is. One that
   * has stopped getting nearer, or would take a step that is not finite, or has used up its evaluations, returns to
   * its best point and counts as unconverged. In the end map.input holds the solutions and map.output G there.
   * Returns the evaluations that each lane took.
   */
  async solve(
    map: LaneMap,
    target: Matrix,
    sign: 1 | -1,
    tolerance: number,
    counts: SolverCounts,
  ): Promise<Uint32Array> {
    this.lanes = target.lanes;
    const taken = new Uint32Array(this.lanes);
    await this.#read(target, this.#target);
    this.#open.fill(1);
    this.begin();
    counts.solves++;
    for (let moved = true; moved; ) {
      map.evaluate();
      counts.evaluations++;
      await this.#read(map.input, this.point);
      await this.#read(map.output, this.residual);
      moved = false;
      for (let lane = 0; lane < this.lanes; lane++) {
        if (this.#open[lane] === 0) continue;
        taken[lane]++;
        this.#setResidual(lane, sign);
        if (this.#advance(lane, taken[lane], tolerance, counts)) moved = true;
      }
      if (moved) this.#write(map.input, this.point);
    }
    return taken;
  }

  /** Before the first evaluation of a solve. */
  protected begin(): void {}

  /**
   * Sets `point` of a lane to where it is to be evaluated next. `failures` counts the evaluations since its best
   * point: 0 where the last one is the best.
   */
  protected abstract next(lane: number, failures: number): void;

  /** The step of the fixed-point map, w - r(w) = target - sign G(w), from one of the two points that are known. */
  protected plainStep(lane: number, from: Float64Array, residual: Float64Array): void {
    for (let i = lane; i < this.rows * this.lanes; i += this.lanes) this.point[i] = from[i] - residual[i];
  }

  #setResidual(lane: number, sign: number): void {
    const { point, residual } = this;
    for (let i = lane; i < this.rows * this.lanes; i += this.lanes) {
      residual[i] = point[i] + sign * residual[i] - this.#target[i];
    }
  }

  /** Closes the lane or takes its next step, from the evaluation that was its n-th; whether its point has changed. */
  #advance(lane: number, n: number, tolerance: number, counts: SolverCounts): boolean {
    const relative = this.#relative(lane, this.point, this.residual);
    if (relative <= tolerance) {
      this.#open[lane] = 0;
      counts.residual = Math.max(counts.residual, relative);
      return false;
    }
    this.#compare(lane, n === 1);
    if (n < this.#maxEvaluations && this.#failures[lane] <= PATIENCE) {
      this.next(lane, this.#failures[lane]);
      if (this.#isFinite(lane)) return true;
    }
    this.#open[lane] = 0;
    counts.unconverged++;
    counts.residual = Math.max(counts.residual, this.#relative(lane, this.best, this.bestResidual));
    this.#copy(lane, this.point, this.best);
    return true;
  }

  /** Keeps the point just evaluated if it is the best so far. A norm that is not a number never is. */
  #compare(lane: number, fresh: boolean): void {
    let squares = 0;
    for (let i = lane; i < this.rows * this.lanes; i += this.lanes) squares += this.residual[i] ** 2;
    if (!fresh && !(squares < this.#bestNorm[lane])) {
      this.#failures[lane]++;
      return;
    }
    this.#bestNorm[lane] = Number.isNaN(squares) ? Number.POSITIVE_INFINITY : squares;
    this.#failures[lane] = 0;
    this.#copy(lane, this.best, this.point);
    this.#copy(lane, this.bestResidual, this.residual);
  }

  /** The residual in the measure of the tolerance; NaN if anything in it is. */
  #relative(lane: number, point: Float64Array, residual: Float64Array): number {
    let largest = 0;
    let size = 1;
    for (let i = lane; i < this.rows * this.lanes; i += this.lanes) {
      largest = Math.max(largest, Math.abs(residual[i]));
      size = Math.max(size, Math.abs(this.#target[i]), Math.abs(point[i]));
    }
    return largest / size;
  }

  #isFinite(lane: number): boolean {
    for (let i = lane; i < this.rows * this.lanes; i += this.lanes) {
      if (!Number.isFinite(this.point[i])) return false;
    }
    return true;
  }

  #copy(lane: number, to: Float64Array, from: Float64Array): void {
    for (let i = lane; i < this.rows * this.lanes; i += this.lanes) to[i] = from[i];
  }

  async #read(m: Matrix, out: Float64Array): Promise<void> {
    const { rows, lanes } = this;
    if (m.stride === lanes) return this.#engine.read(m.tensor, out.subarray(0, rows * lanes), m.offset);
    for (let r = 0; r < rows; r++) {
      await this.#engine.read(m.tensor, out.subarray(r * lanes, (r + 1) * lanes), m.offset + r * m.stride);
    }
  }

  #write(m: Matrix, values: Float64Array): void {
    const { rows, lanes } = this;
    for (let r = 0; r < rows; r++) {
      this.#engine.write(m.tensor, values.subarray(r * lanes, (r + 1) * lanes), m.offset + r * m.stride);
    }
  }
}

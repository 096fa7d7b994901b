/**
 * What the solvers of w + sign G(w) = target that need only values of G have in common (math.md, "Two regimes"):
 * one residual r(w) = w + sign G(w) - target a sample, and samples that stop one by one.
 *
 * All vectors stay on the engine. A solver keeps the last points in slots, each as the plain step u = w - r and the
 * residual r, and moves every sample to a sum of steps with weights of its own; only these weights, and the few
 * numbers a sample that decide them, pass through the host.
 *
 * Progress is judged by the Euclidean norm |r|, in which G is a contraction: of any two evaluations in a row one at
 * least lowers it by the factor max(Lip(G), 0.98) (math.md, "The safeguard of Anderson's method").
 */
import { type Engine, type Matrix, matrix, paddedLanes, type Tensor } from "../engine/engine.js";
import type { SolverCounts } from "./newton.js";

/**
 * A map G on an engine whose samples do not depend on each other: a network's values, or products with its Jacobian
 * or the transpose of that. `evaluate` leaves G(input) in `output`.
 */
export interface LaneMap {
  readonly input: Matrix;
  readonly output: Matrix;
  /** Samples; the lanes are [place][sample] (default: every lane is a sample). */
  readonly samples?: number;
  evaluate(): void;
}

export interface LaneSolverOptions {
  /** Evaluations after which a sample is given up (default 4096). */
  maxEvaluations?: number;
}

/** Enough for Lip(G) = 0.98 in float64 (math.md, "The safeguard of Anderson's method"). */
const MAX_EVALUATIONS = 4096;
/** Evaluations in a row that may fail to lower a sample's residual; a contraction fails only by rounding. */
const PATIENCE = 4;
/** A step that was mixed has to lower the residual by this factor, or a plain one, which does for certain, comes next. */
const FACTOR = 0.98;
/** Largest components of a first residual whose squares, and those of what the solve leaves of it, suit float32. */
const SQUARED = { from: 2 ** -30, to: 2 ** 30 };
/** Exponents of factors that float32 has. */
const MAX_EXPONENT = 126;

/** One evaluation of all samples. */
interface Slot {
  readonly step: Tensor;
  readonly residual: Tensor;
}

export abstract class LaneSolver {
  protected readonly engine: Engine;
  /** Slots that the evaluations fill in turn. */
  protected readonly size: number;
  /** Samples of the solve at hand. */
  protected samples = 0;
  /** Whether a slot holds an evaluation of a sample that counts: [slot][sample]. */
  protected readonly known: Uint8Array;
  /** The products <r_i, r_j> of the residuals in two slots: [slot][slot][sample]. */
  protected readonly gram: Float64Array;
  /** The weights of the next point: [slot][sample]. */
  protected readonly weights: Float64Array;
  readonly #maxEvaluations: number;
  readonly #slots: readonly Slot[];
  readonly #residual: Tensor;
  /** What the residuals of a sample are multiplied by, where any sample's needs it. */
  readonly #scales: Tensor;
  /** Numbers a sample: what is read, and the weights and the share of the point that are written. */
  readonly #read: Tensor;
  readonly #written: Tensor;
  readonly #numbers: Float64Array;
  readonly #size: Float64Array;
  readonly #scale: Float64Array;
  readonly #keep: Float64Array;
  readonly #back: Float64Array;
  readonly #bestSlot: Int8Array;
  readonly #bestRelative: Float64Array;
  readonly #failures: Uint8Array;
  /** Whether the last step was mixed of several. */
  readonly #mixed: Uint8Array;
  readonly #open: Uint8Array;

  /** Memory for up to `capacity` samples of `dim` numbers each; `memory` points are kept beside the newest. */
  constructor(
    engine: Engine,
    dim: number,
    capacity: number,
    memory: number,
    options: LaneSolverOptions = {},
  ) {
    this.engine = engine;
    this.#maxEvaluations = options.maxEvaluations ?? MAX_EVALUATIONS;
    const samples = paddedLanes(engine, capacity);
    // The best point must outlive the failures after it.
    this.size = Math.max(memory + 1, PATIENCE + 2);
    const vector = () => engine.tensor(dim * samples);
    this.#slots = Array.from({ length: this.size }, () => ({ step: vector(), residual: vector() }));
    this.#residual = vector();
    this.#scales = engine.tensor(samples);
    const reads = this.size + 2;
    this.#read = engine.tensor(reads * samples);
    this.#written = engine.tensor((this.size + 2) * samples);
    this.#numbers = new Float64Array(reads * samples);
    this.known = new Uint8Array(this.size * samples);
    this.gram = new Float64Array(this.size * this.size * samples);
    this.weights = new Float64Array(this.size * samples);
    const numbers = () => new Float64Array(samples);
    this.#size = numbers();
    this.#scale = numbers();
    this.#keep = numbers();
    this.#back = numbers();
    this.#bestRelative = numbers();
    this.#bestSlot = new Int8Array(samples);
    this.#failures = new Uint8Array(samples);
    this.#mixed = new Uint8Array(samples);
    this.#open = new Uint8Array(samples);
  }

  /**
   * Solves from the start that map.input holds, to a tolerance on the largest |residual| over
   * max(floor, largest |target|, largest |w|), a sample at a time. A sample that has reached it stays where it is. One
   * that has stopped getting nearer (Euclidean norm), or is not a number, or has used up its evaluations, returns
   * to its best point, and counts as unconverged unless its residual there is at most `enough`: rounding may keep a
   * sample from a tolerance that others reach. In the end map.input holds the solutions and map.output G there.
   * Returns the evaluations that each sample took.
   */
  async solve(
    map: LaneMap,
    target: Matrix,
    sign: 1 | -1,
    tolerance: number,
    counts: SolverCounts,
    { floor = 1, enough = tolerance }: { floor?: number; enough?: number } = {},
  ): Promise<Uint32Array> {
    const { engine } = this;
    const samples = map.samples ?? target.lanes;
    this.samples = samples;
    const vector = (tensor: Tensor): Matrix => matrix(tensor, target.rows, target.lanes);
    const numbers = (tensor: Tensor, row: number): Matrix => matrix(tensor, 1, samples, row * samples);
    const taken = new Uint32Array(samples);
    engine.sampleMaxima(numbers(this.#read, 0), target);
    await engine.read(this.#read, this.#size.subarray(0, samples));
    this.#open.fill(1);
    this.known.fill(0);
    counts.solves++;
    let scaled = false;
    for (let n = 0, moved = true; moved; n++) {
      map.evaluate();
      counts.evaluations++;
      const newest = n % this.size;
      const { step } = this.#slots[newest];
      const residual = vector(this.#slots[newest].residual);
      // The residual in two roundings, as r = (w - target) + sign G(w); the step w - r = target - sign G(w) in one.
      engine.combine(residual, 1, map.input, -1, target);
      engine.combine(residual, 1, residual, sign, map.output);
      engine.combine(vector(step), 1, target, -sign, map.output);
      engine.sampleMaxima(numbers(this.#read, 0), residual);
      engine.sampleMaxima(numbers(this.#read, 1), map.input);
      if (n === 0) scaled = await this.#setScales();
      if (scaled) engine.scaleSamples(residual, numbers(this.#scales, 0), residual, false);
      for (let slot = 0; slot < this.size; slot++) {
        if (slot > n) break;
        engine.sampleDots(numbers(this.#read, 2 + slot), residual, vector(this.#slots[slot].residual));
      }
      const read = this.#numbers.subarray(0, (2 + this.size) * samples);
      await engine.read(this.#read, read);
      for (let slot = 0; slot < this.size; slot++) {
        for (let s = 0; s < samples; s++) {
          const product = read[(2 + slot) * samples + s];
          this.gram[(slot * this.size + newest) * samples + s] = product;
          this.gram[(newest * this.size + slot) * samples + s] = product;
        }
      }
      this.weights.fill(0);
      this.#keep.fill(1);
      this.#back.fill(0);
      moved = false;
      let returned = false;
      for (let s = 0; s < samples; s++) {
        this.known[newest * samples + s] = 0;
        if (this.#open[s] === 0) continue;
        taken[s]++;
        const size = Math.max(floor, this.#size[s], read[samples + s]);
        const relative = Number.isFinite(read[s]) ? read[s] / size : Number.NaN;
        if (relative <= tolerance) {
          this.#open[s] = 0;
          counts.residual = Math.max(counts.residual, relative);
          continue;
        }
        moved = true;
        this.#keep[s] = 0;
        if (this.#advance(s, newest, taken[s], relative)) continue;
        this.#open[s] = 0;
        if (!(this.#bestRelative[s] <= enough)) {
          counts.unconverged++;
          counts.unconvergedLanes.push(s);
        }
        counts.residual = Math.max(counts.residual, this.#bestRelative[s]);
        if (this.#bestSlot[s] === newest) this.#keep[s] = 1;
        else {
          // Back to the best point, w = u + r there.
          this.weights[this.#bestSlot[s] * samples + s] = 1;
          this.#back[s] = 1;
          returned = true;
        }
      }
      if (moved) this.#move(map.input, samples, n, returned);
    }
    return taken;
  }

  /** Powers of 2 that bring the first residuals of extreme samples near 1; whether there are such samples. */
  async #setScales(): Promise<boolean> {
    const { samples } = this;
    const scale = this.#scale.subarray(0, samples);
    await this.engine.read(this.#read, scale);
    let scaled = false;
    for (let s = 0; s < samples; s++) {
      const size = scale[s];
      const usual =
        !(size > 0 && size < SQUARED.from) && !(size > SQUARED.to && size < Number.POSITIVE_INFINITY);
      scale[s] = usual ? 1 : 2 ** Math.min(MAX_EXPONENT, -Math.floor(Math.log2(size)));
      scaled ||= !usual;
    }
    this.engine.write(this.#scales, scale);
    return scaled;
  }

  /** Decides a sample's next step after its n-th evaluation; false where there is none, and no weight is set. */
  #advance(s: number, newest: number, n: number, relative: number): boolean {
    const { samples } = this;
    const square = (slot: number) => this.gram[(slot * this.size + slot) * samples + s];
    const before = n === 1 ? Number.POSITIVE_INFINITY : square(this.#bestSlot[s]);
    let slow = false;
    if (n === 1 || square(newest) < before) {
      slow = this.#mixed[s] === 1 && n > 1 && square(newest) > FACTOR ** 2 * before;
      this.known[newest * samples + s] = 1;
      this.#bestSlot[s] = newest;
      this.#bestRelative[s] = relative;
      this.#failures[s] = 0;
    } else this.#failures[s]++;
    this.#mixed[s] = 0;
    if (n >= this.#maxEvaluations || this.#failures[s] > PATIENCE) return false;
    // A first residual that is not a number has nowhere to go; a later one is a failure like others.
    if (!Number.isFinite(relative) && (n === 1 || this.#failures[s] > 1)) return false;
    if (this.#failures[s] === 0 && !slow && this.#mixes(s, newest)) return true;
    if (this.#failures[s] === 1) {
      // The memory misleads: only the best point is kept, and its plain step taken.
      const best = this.#bestSlot[s];
      for (let slot = 0; slot < this.size; slot++) this.known[slot * samples + s] = slot === best ? 1 : 0;
      this.weights[best * samples + s] = 1;
    } else this.weights[newest * samples + s] = 1;
    return true;
  }

  /** Whether the steps that are known can be mixed; otherwise no weight is left. */
  #mixes(s: number, newest: number): boolean {
    const { samples } = this;
    this.mix(s, newest);
    let finite = true;
    let others = false;
    for (let slot = 0; slot < this.size; slot++) {
      const weight = this.weights[slot * samples + s];
      finite &&= Number.isFinite(weight);
      others ||= slot !== newest && weight !== 0;
    }
    if (!finite) for (let slot = 0; slot < this.size; slot++) this.weights[slot * samples + s] = 0;
    this.#mixed[s] = finite && others ? 1 : 0;
    return finite;
  }

  /** Sets the weights of a sample's next point, a sum of the known steps; the evaluation in `newest` is its best. */
  protected abstract mix(sample: number, newest: number): void;

  /** point = keep point + sum over slots of weight u (+ r where a sample returns to a point). */
  #move(point: Matrix, samples: number, n: number, returned: boolean): void {
    const { engine } = this;
    const vector = (tensor: Tensor): Matrix => matrix(tensor, point.rows, point.lanes);
    const row = (index: number): Matrix => matrix(this.#written, 1, samples, index * samples);
    const slots = Array.from({ length: Math.min(n + 1, this.size) }, (_, slot) => slot).filter((slot) =>
      this.weights.subarray(slot * samples, (slot + 1) * samples).some((weight) => weight !== 0),
    );
    const next = vector(this.#residual);
    engine.write(this.#written, this.#keep.subarray(0, samples));
    engine.write(this.#written, this.weights.subarray(0, this.size * samples), samples);
    engine.scaleSamples(next, row(0), point, false);
    for (const slot of slots) engine.scaleSamples(next, row(1 + slot), vector(this.#slots[slot].step), true);
    if (returned) {
      for (const slot of slots) {
        const back = this.#back.map((back, s) =>
          s < samples ? (back * this.weights[slot * samples + s]) / this.#scale[s] : 0,
        );
        engine.write(this.#written, back.subarray(0, samples), (1 + this.size) * samples);
        engine.scaleSamples(next, row(1 + this.size), vector(this.#slots[slot].residual), true);
      }
    }
    engine.combine(point, 1, next);
  }
}

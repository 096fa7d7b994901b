/**
 * The stochastic regime, for images: Anderson's method solves with values of G alone, log-determinants are estimated
 * from products p_k = (J^T)^k v of a random probe, and one pass of a jet with tangent v gives their gradient
 * (math.md, "Two regimes"). Nothing is kept of a series but its sum: a block remembers the point w, and for each
 * probe the Neumann sum s; the network's activations are computed anew for the backward pass.
 */
import {
  type Engine,
  lanesOf,
  type Matrix,
  matrix,
  paddedLanes,
  rowsOf,
  type Tensor,
} from "../engine/engine.js";
import { logDeterminant } from "../linear-algebra.js";
import type { PassKey, Probes } from "../logdet/probes.js";
import { neumannCoefficient, traceCoefficient } from "../logdet/series.js";
import type { LipschitzNetwork } from "../networks/lipschitz-network.js";
import type { Views, Workspace } from "../networks/workspace.js";
import { Anderson } from "../solvers/anderson.js";
import { emptyCounts } from "../solvers/newton.js";
import type { Regime } from "./regime.js";

export interface StochasticOptions {
  readonly engine: Engine;
  /** Samples a pass. */
  readonly capacity: number;
  readonly probes: Probes;
  /** The solvers' tolerance in training; elsewhere they go on to one rounding of a residual. */
  readonly tolerance: number;
  /** Another block of the chain: memory that lasts no longer than a call is shared with it. */
  readonly sharing?: StochasticRegime | undefined;
}

/** Memory of one call, for all blocks whose inputs have as many numbers. */
interface Scratch {
  readonly solver: Anderson;
  readonly vectors: readonly Tensor[];
  /** One number a sample. */
  readonly dots: Tensor;
  readonly host: Float64Array;
  /** Of networks of the same declaration on the same grid. */
  readonly workspaces: Map<string, Workspace>;
}

/** Roundings of a residual that solves aim at, and that every network's solve reaches. */
const ROUNDINGS = { aim: 1, enough: 16 };

export class StochasticRegime implements Regime {
  readonly counts = emptyCounts();
  readonly network: LipschitzNetwork;
  readonly #options: StochasticOptions;
  readonly #engine: Engine;
  readonly #scratch: Scratch;
  readonly #workspace: Workspace;
  readonly #views = new Map<string, Views>();
  /** The numbers of a sample. */
  readonly #dim: number;
  readonly #point: Tensor;
  readonly #sums: readonly Tensor[];
  /** Its number among the blocks that draw probes. */
  readonly #block: number;
  #samples = 0;
  /** What a backward pass goes through. */
  #backward: Views | null = null;

  constructor(network: LipschitzNetwork, options: StochasticOptions) {
    const { engine, capacity, probes, sharing } = options;
    this.network = network;
    this.#options = options;
    this.#block = probes.enrol();
    this.#engine = engine;
    const samples = paddedLanes(engine, capacity);
    const dim = network.dim * network.places;
    this.#dim = dim;
    const vector = () => engine.tensor(dim * samples);
    const shared = sharing ? sharing.#scratch : undefined;
    this.#scratch = {
      ...(shared && shared.host.length >= dim * samples
        ? shared
        : {
            solver: new Anderson(engine, dim, samples),
            vectors: [vector(), vector(), vector()],
            dots: engine.tensor(samples),
            host: new Float64Array(dim * samples),
          }),
      workspaces: shared?.workspaces ?? new Map(),
    };
    const key = JSON.stringify([network.declaration, network.dim, network.grid]);
    const { workspaces } = this.#scratch;
    this.#workspace = workspaces.get(key) ?? network.workspace(samples, probes.estimator.probes);
    workspaces.set(key, this.#workspace);
    this.#point = vector();
    this.#sums = Array.from({ length: probes.estimator.probes }, vector);
  }

  #viewsAt(tangents: number): Views {
    const key = `${this.#samples} ${tangents}`;
    let views = this.#views.get(key);
    if (!views) {
      views = this.network.views(this.#workspace, this.#samples, tangents);
      this.#views.set(key, views);
    }
    return views;
  }

  /** A matrix of the block's shape on a tensor. */
  #shaped(tensor: Tensor): Matrix {
    return matrix(tensor, this.network.dim, this.#samples * this.network.places);
  }

  /** One number a sample. */
  get #dots(): Matrix {
    return matrix(this.#scratch.dots, 1, this.#samples);
  }

  /** What a residual should come down to, and what it has to. */
  #tolerances({ training }: PassKey): { tolerance: number; enough: number } {
    const { tolerance } = this.#options;
    if (training) return { tolerance, enough: tolerance };
    const { epsilon } = this.#engine;
    return {
      tolerance: Math.min(tolerance, ROUNDINGS.aim * epsilon),
      enough: ROUNDINGS.enough * epsilon,
    };
  }

  #begin(x: Matrix): void {
    this.#samples = x.lanes / this.network.places;
  }

  vector(index: 0 | 1, like: Matrix): Matrix {
    return matrix(this.#scratch.vectors[index], like.rows, like.lanes);
  }

  evaluate(out: Matrix, x: Matrix): void {
    this.#begin(x);
    const views = this.#viewsAt(0);
    this.#engine.combine(views.input, 1, x);
    this.#engine.combine(this.#shaped(this.#point), 1, x);
    this.network.evaluate(views);
    this.#engine.combine(out, 1, views.output);
  }

  async solve(out: Matrix, target: Matrix, start: Matrix, sign: 1 | -1, pass: PassKey): Promise<void> {
    this.#begin(target);
    const views = this.#viewsAt(0);
    const w = views.input;
    this.#engine.combine(w, 1, start);
    const map = {
      input: w,
      output: views.output,
      samples: this.#samples,
      evaluate: () => this.network.evaluate(views),
    };
    const { tolerance, enough } = this.#tolerances(pass);
    await this.#scratch.solver.solve(map, target, sign, tolerance, this.counts, { enough });
    this.#engine.combine(this.#shaped(this.#point), 1, w);
    this.#engine.combine(out, 1, w);
  }

  async addLogDet(logDet: Matrix, plus: number, minus: number, pass: PassKey): Promise<void> {
    if (pass.exact) return this.#addExactLogDet(logDet, plus, minus);
    const engine = this.#engine;
    const { count, weights } = this.#options.probes.terms(this.#block, this.#dim, pass, () => ({
      lipschitz: this.#lipschitz(),
      plus,
      minus,
    }));
    const share = 1 / this.#sums.length;
    const views = this.#viewsAt(0);
    const product = views.inputBar;
    this.network.linearise(views);
    const probe = this.#shaped(this.#scratch.vectors[2]);
    for (let m = 0; m < this.#sums.length; m++) {
      this.#writeProbe(probe, m, pass);
      const sum = this.#shaped(this.#sums[m]);
      engine.combine(sum, share * neumannCoefficient(plus, minus, 0), probe);
      for (let k = 1; k <= count; k++) {
        this.network.transposedProduct(views, k === 1 ? probe : product);
        const trace = traceCoefficient(plus, minus, k);
        if (trace !== 0) {
          engine.sampleDots(this.#dots, product, probe);
          engine.combine(logDet, 1, logDet, share * trace * weights[k], this.#dots);
        }
        const neumann = neumannCoefficient(plus, minus, k);
        if (neumann !== 0 && pass.training) {
          engine.combine(sum, 1, sum, share * neumann * weights[k], product);
        }
      }
    }
  }

  /** A certified bound, the tight one where it takes that to be below 1. */
  #lipschitz(): number {
    const quick = this.network.lipschitzBound();
    return quick < 1 ? quick : this.network.lipschitzBound("tight");
  }

  /** The probe of that number to where it is wanted. */
  #writeProbe(out: Matrix, index: number, pass: PassKey): void {
    const host = this.#scratch.host.subarray(0, this.#dim * this.#samples);
    this.#options.probes.fill(host, this.#dim, this.#samples, this.#block, index, pass);
    for (let r = 0; r < out.rows; r++) {
      const row = host.subarray(r * out.lanes, (r + 1) * out.lanes);
      this.#engine.write(out.tensor, row, out.offset + r * out.stride);
    }
  }

  /** From all rows of every Jacobian, e_i^T J. */
  async #addExactLogDet(logDet: Matrix, plus: number, minus: number): Promise<void> {
    const engine = this.#engine;
    const samples = this.#samples;
    const dim = this.#dim;
    const places = this.network.places;
    const views = this.#viewsAt(0);
    const unit = this.#shaped(this.#scratch.vectors[2]);
    const row = this.#shaped(this.#scratch.vectors[1]);
    const host = this.#scratch.host.subarray(0, dim * samples);
    this.network.linearise(views);
    const jacobians = Array.from({ length: samples }, () => new Float64Array(dim * dim));
    for (let i = 0; i < dim; i++) {
      engine.fill(unit, 0);
      engine.fill(lanesOf(rowsOf(unit, Math.floor(i / places), 1), (i % places) * samples, samples), 1);
      this.network.transposedProduct(views, unit);
      engine.combine(row, 1, views.inputBar);
      await engine.read(row.tensor, host);
      for (let j = 0; j < dim; j++) {
        for (let s = 0; s < samples; s++) jacobians[s][i * dim + j] = host[j * samples + s];
      }
    }
    const added = new Float64Array(samples);
    await engine.read(logDet.tensor, added, logDet.offset);
    jacobians.forEach((jacobian, s) => {
      for (const [coefficient, sign] of [
        [plus, 1],
        [minus, -1],
      ]) {
        if (coefficient === 0) continue;
        const shifted = jacobian.map((value, n) => (n % (dim + 1) === 0 ? 1 : 0) + sign * value);
        added[s] += coefficient * logDeterminant(shifted);
      }
    });
    engine.write(logDet.tensor, added, logDet.offset);
  }

  logDetBackward(
    out: Matrix,
    valueBar: Matrix,
    logDetBar: Matrix | null,
    _plus: number,
    _minus: number,
    pass: PassKey,
  ): void {
    const engine = this.#engine;
    const tangents = logDetBar ? this.#sums.length : 0;
    const views = this.#viewsAt(tangents);
    this.#backward = views;
    const { batch } = views;
    const segment = (jet: Matrix, k: number) => lanesOf(jet, k * batch, batch);
    engine.combine(segment(views.input, 0), 1, this.#shaped(this.#point));
    for (let m = 0; m < tangents; m++) this.#writeProbe(segment(views.input, 1 + m), m, pass);
    this.network.evaluate(views);
    engine.combine(out, 1, valueBar);
    if (!logDetBar) return;
    engine.fill(segment(views.outputBar, 0), 0);
    this.#sums.forEach((sum, m) => {
      engine.scaleSamples(segment(views.outputBar, 1 + m), logDetBar, this.#shaped(sum), false);
    });
    this.network.backward(views);
    engine.combine(out, 1, out, 1, segment(views.inputBar, 0));
  }

  get #opened(): Views {
    if (!this.#backward) throw new Error("logDetBackward comes first");
    return this.#backward;
  }

  async solveTransposed(out: Matrix, right: Matrix, sign: 1 | -1, pass: PassKey): Promise<void> {
    const views = this.#opened;
    this.network.linearise(views);
    this.#engine.combine(out, 1, right);
    const map = {
      input: out,
      output: lanesOf(views.inputBar, 0, views.batch),
      samples: this.#samples,
      evaluate: () => this.network.transposedProduct(views, out),
    };
    // Cotangents are as small as the weight of a sample in its batch: there is no floor to what counts as large.
    const { tolerance, enough } = this.#tolerances(pass);
    const floor = Number.MIN_VALUE;
    await this.#scratch.solver.solve(map, right, sign, tolerance, this.counts, { floor, enough });
  }

  finish(valueBar: Matrix, logDetBar: Matrix | null): Matrix {
    const views = this.#opened;
    if (logDetBar) {
      this.network.backwardValues(views, valueBar);
      this.network.accumulate(views);
    } else this.network.backwardValuesOnly(views, valueBar);
    return lanesOf(views.inputBar, 0, views.batch);
  }
}

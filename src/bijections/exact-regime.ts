/**
 * The exact regime: jets carry the whole Jacobian, Newton's method solves, and small dense matrices give
 * log-determinants and implicit gradients. For few dimensions.
 */
import {
  type Engine,
  lanesOf,
  type Matrix,
  matrix,
  newtonStateRows,
  paddedLanes,
  rowsOf,
  type Tensor,
} from "../engine/engine.js";
import type { LipschitzNetwork } from "../networks/lipschitz-network.js";
import type { Views, Workspace } from "../networks/workspace.js";
import { type Equations, emptyCounts, newton } from "../solvers/newton.js";
import type { Regime } from "./regime.js";

/** Memory for the samples of a solve that go on alone; no backward pass needs its own meanwhile. */
interface Spare {
  readonly workspace: Workspace;
  readonly target: Tensor;
  readonly state: Tensor;
  readonly open: Tensor;
}

export class ExactRegime implements Regime {
  readonly counts = emptyCounts();
  readonly network: LipschitzNetwork;
  readonly #engine: Engine;
  readonly #workspace: Workspace;
  readonly #state: Tensor;
  readonly #open: Tensor;
  readonly #spare: Spare;
  readonly #spareViews = new Map<number, Views>();
  readonly #vectors: Tensor;
  readonly #vectorRows: number;
  readonly #tolerance: number;
  #views: Views | null = null;

  /**
   * `sharing`: that of a block with the same network declaration in the same chain. What lasts no longer than a solve or a
   * backward pass is shared with it.
   */
  constructor(engine: Engine, network: LipschitzNetwork, capacity: number, sharing?: ExactRegime) {
    this.#engine = engine;
    this.network = network;
    const { dim } = network;
    const batch = paddedLanes(engine, capacity);
    this.#workspace = network.workspace(capacity, dim, sharing ? sharing.#workspace : undefined);
    this.#state = engine.tensor(newtonStateRows(dim) * batch);
    this.#open = engine.tensor(batch);
    const { bankBar, preBar, outputBar } = this.#workspace;
    this.#spare = sharing
      ? sharing.#spare
      : {
          workspace: { ...this.#workspace, bank: bankBar, pre: preBar, output: outputBar },
          target: engine.tensor(dim * batch),
          state: engine.tensor(newtonStateRows(dim) * batch),
          open: engine.tensor(batch),
        };
    this.#vectorRows = 2 * dim;
    this.#vectors = engine.tensor(this.#vectorRows * batch);
    // A few roundings of a residual: what every precision can reach.
    this.#tolerance = 8 * engine.epsilon;
  }

  /** The workspace at the batch of the pass at hand, for jets of so many tangents. */
  #viewsAt(batch: number, tangents: number): Views {
    const lanes = batch * (1 + tangents);
    if (this.#views?.batch !== batch || this.#views.output.lanes !== lanes) {
      this.#views = this.network.views(this.#workspace, batch, tangents);
    }
    return this.#views;
  }

  vector(index: 0 | 1, like: Matrix): Matrix {
    const { dim } = this.network;
    return rowsOf(matrix(this.#vectors, this.#vectorRows, like.lanes), index * dim, dim);
  }

  evaluate(out: Matrix, x: Matrix, jacobian: boolean): void {
    const views = this.#viewsAt(x.lanes, jacobian ? this.network.dim : 0);
    this.#engine.combine(point(views), 1, x);
    if (jacobian) this.#engine.basisTangents(views.input, views.batch);
    this.network.evaluate(views);
    this.#engine.combine(out, 1, lanesOf(views.output, 0, views.batch));
  }

  async solve(out: Matrix, target: Matrix, start: Matrix, sign: 1 | -1): Promise<void> {
    const { network } = this;
    const engine = this.#engine;
    const views = this.#viewsAt(target.lanes, network.dim);
    const w = point(views);
    engine.combine(w, 1, start);
    const equations = {
      views,
      target,
      state: matrix(this.#state, newtonStateRows(network.dim), views.batch),
      open: this.#open,
      spare: (samples: number) => this.#spareEquations(samples),
    };
    const step = await newton(engine, network, equations, sign, this.#tolerance, this.counts);
    engine.combine(out, 1, w, -1, step);
  }

  /** Room for some of the samples of a solve. */
  #spareEquations(samples: number): Equations {
    const { dim } = this.network;
    const { workspace, target, state, open } = this.#spare;
    let views = this.#spareViews.get(samples);
    if (!views) {
      views = this.network.views(workspace, samples, dim);
      this.#spareViews.set(samples, views);
    }
    return {
      views,
      target: matrix(target, dim, samples),
      state: matrix(state, newtonStateRows(dim), samples),
      open,
    };
  }

  /** What the last `evaluate` or `solve` has left. */
  get #current(): Views {
    if (!this.#views) throw new Error("nothing has been evaluated yet");
    return this.#views;
  }

  async addLogDet(logDet: Matrix, plus: number, minus: number): Promise<void> {
    this.#engine.addLogDet(logDet, this.#current.output, plus, minus);
  }

  logDetBackward(out: Matrix, valueBar: Matrix, logDetBar: Matrix | null, plus: number, minus: number): void {
    if (logDetBar) {
      const views = this.#current;
      this.#engine.logDetCotangent(views.outputBar, logDetBar, views.output, plus, minus);
      this.network.backward(views);
      this.#engine.combine(out, 1, product(views), 1, valueBar);
    } else this.#engine.combine(out, 1, valueBar);
  }

  async solveTransposed(out: Matrix, right: Matrix, sign: 1 | -1): Promise<void> {
    this.#engine.solveTransposed(out, right, this.#current.output, sign);
  }

  finish(valueBar: Matrix, logDetBar: Matrix | null): Matrix {
    const views = this.#current;
    if (logDetBar) {
      this.network.backwardValues(views, valueBar);
      this.network.accumulate(views);
    } else this.network.backwardValuesOnly(views, valueBar);
    return product(views);
  }
}

/** Where the network was last evaluated. */
const point = (views: Views) => lanesOf(views.input, 0, views.batch);

/** The cotangent of the input that the last backward pass has left. */
const product = (views: Views) => lanesOf(views.inputBar, 0, views.batch);

/** What residual, inverse-residual and monotone blocks share in the exact regime: a network G, its memory and its solves. */
import {
  type Engine,
  lanesOf,
  type Matrix,
  matrix,
  paddedLanes,
  rowsOf,
  type Tensor,
} from "../engine/engine.js";
import type { Network, Views, Workspace } from "../networks/network.js";
import { type Equations, emptyCounts, newton } from "../solvers/newton.js";
import type { Bijection } from "./bijection.js";

/** Memory for the samples of a solve that go on alone; no backward pass needs its own meanwhile. */
interface Spare {
  readonly workspace: Workspace;
  readonly target: Tensor;
  readonly state: Tensor;
  readonly open: Tensor;
}

export abstract class LipschitzBlock implements Bijection {
  abstract readonly kind: string;
  readonly counts = emptyCounts();
  protected readonly engine: Engine;
  readonly network: Network;
  protected readonly workspace: Workspace;
  readonly #state: Tensor;
  readonly #open: Tensor;
  readonly #spare: Spare;
  readonly #spareViews = new Map<number, Views>();
  readonly #vectors: Tensor;
  readonly #vectorRows: number;
  readonly #tolerance: number;
  #views: Views | null = null;

  /**
   * `sharing`: a block of the same network declaration in the same chain. What lasts no longer than a solve or a
   * backward pass is shared with it.
   */
  constructor(engine: Engine, network: Network, capacity: number, sharing?: LipschitzBlock) {
    this.engine = engine;
    this.network = network;
    const { dim } = network;
    const batch = paddedLanes(engine, capacity);
    this.workspace = network.workspace(capacity, dim, sharing?.workspace);
    this.#state = engine.tensor((3 * dim + 2) * batch);
    this.#open = engine.tensor(batch);
    const { bankBar, preBar, outputBar } = this.workspace;
    this.#spare = sharing
      ? sharing.#spare
      : {
          workspace: { ...this.workspace, bank: bankBar, pre: preBar, output: outputBar },
          target: engine.tensor(dim * batch),
          state: engine.tensor((3 * dim + 2) * batch),
          open: engine.tensor(batch),
        };
    this.#vectorRows = 2 * dim;
    this.#vectors = engine.tensor(this.#vectorRows * batch);
    // A few roundings of a residual: what every precision can reach.
    this.#tolerance = 8 * engine.epsilon;
  }

  abstract forward(out: Matrix, input: Matrix, logDet: Matrix | null): Promise<void>;
  abstract inverse(out: Matrix, input: Matrix, logDet: Matrix): Promise<void>;
  abstract backward(inputBar: Matrix, outputBar: Matrix, logDetBar: Matrix | null): void;

  prepare(): void {
    this.network.prepare();
  }

  collectGradient(): Promise<void> {
    return this.network.collectGradient();
  }

  iterate(iterations = this.network.declaration.powerIterations): void {
    this.network.iterate(iterations);
  }

  lipschitzBound(): number {
    return this.network.lipschitzBound();
  }

  /** The workspace at the batch of the pass at hand, for jets of so many tangents. */
  protected views(batch: number, tangents = this.network.dim): Views {
    const lanes = batch * (1 + tangents);
    if (this.#views?.batch !== batch || this.#views.output.lanes !== lanes) {
      this.#views = this.network.views(this.workspace, batch, tangents);
    }
    return this.#views;
  }

  /** One of two vectors of memory, dim rows. */
  protected vector(index: 0 | 1, batch: number): Matrix {
    const { dim } = this.network;
    return rowsOf(matrix(this.#vectors, this.#vectorRows, batch), index * dim, dim);
  }

  /** Evaluates the jet of G at x. */
  protected evaluateAt(x: Matrix): Views {
    const views = this.views(x.lanes);
    this.engine.combine(this.point(views), 1, x);
    this.engine.basisTangents(views.input, views.batch);
    this.network.evaluate(views);
    return views;
  }

  /** Evaluates G alone, without its Jacobian, at x. */
  protected evaluateValues(x: Matrix): Views {
    const views = this.views(x.lanes, 0);
    this.engine.combine(this.point(views), 1, x);
    this.network.evaluate(views);
    return views;
  }

  /** out = the solution w of w + sign G(w) = target, from `start` on; the jet of G there is left in the views. */
  protected async solve(out: Matrix, target: Matrix, start: Matrix, sign: 1 | -1): Promise<Views> {
    const { engine, network } = this;
    const views = this.views(target.lanes);
    const w = this.point(views);
    engine.combine(w, 1, start);
    const equations = {
      views,
      target,
      state: matrix(this.#state, 3 * network.dim + 2, views.batch),
      open: this.#open,
      spare: (samples: number) => this.#spareEquations(samples),
    };
    const step = await newton(engine, network, equations, sign, this.#tolerance, this.counts);
    engine.combine(out, 1, w, -1, step);
    return views;
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
      state: matrix(state, 3 * dim + 2, samples),
      open,
    };
  }

  /** Where the network was last evaluated. */
  protected point(views: Views): Matrix {
    return lanesOf(views.input, 0, views.batch);
  }

  /** G there. */
  protected value(views: Views): Matrix {
    return lanesOf(views.output, 0, views.batch);
  }

  /** The cotangent of the input that the last backward pass left. */
  protected inputBar(views: Views): Matrix {
    return lanesOf(views.inputBar, 0, views.batch);
  }

  /**
   * The backward pass that all three have in common: the gradient of plus log det(I + J) + minus log det(I - J)
   * for the network's parameters stays pending, and out = valueBar + its gradient for w.
   */
  protected logDetBackward(
    out: Matrix,
    views: Views,
    valueBar: Matrix,
    logDetBar: Matrix | null,
    plus: number,
    minus: number,
  ): void {
    if (logDetBar) {
      this.engine.logDetCotangent(views.outputBar, logDetBar, views.output, plus, minus);
      this.network.backward(views);
      this.engine.combine(out, 1, this.inputBar(views), 1, valueBar);
    } else this.engine.combine(out, 1, valueBar);
  }

  /** Ends a backward pass: G's parameters also receive the gradient of valueBar^T G(w). */
  protected finish(views: Views, valueBar: Matrix, logDetBar: Matrix | null): void {
    if (logDetBar) {
      this.network.backwardValues(views, valueBar);
      this.network.accumulate(views);
    } else this.network.backwardValuesOnly(views, valueBar);
  }
}

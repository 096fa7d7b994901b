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
import { emptyCounts, newton } from "../solvers/newton.js";
import type { Bijection } from "./bijection.js";

export abstract class LipschitzBlock implements Bijection {
  abstract readonly kind: string;
  readonly counts = emptyCounts();
  protected readonly engine: Engine;
  readonly network: Network;
  protected readonly workspace: Workspace;
  readonly #state: Tensor;
  readonly #vectors: Tensor;
  readonly #vectorRows: number;
  readonly #tolerance: number;
  #views: Views | null = null;

  /** `sharing`: a block of the same network declaration in the same chain, whose memory for backward passes is shared. */
  constructor(engine: Engine, network: Network, capacity: number, sharing?: LipschitzBlock) {
    this.engine = engine;
    this.network = network;
    const { dim } = network;
    const batch = paddedLanes(engine, capacity);
    this.workspace = network.workspace(capacity, dim, sharing?.workspace);
    this.#state = engine.tensor((3 * dim + 2) * batch);
    this.#vectorRows = 2 * dim;
    this.#vectors = engine.tensor(this.#vectorRows * batch);
    // A few roundings of a residual: what every precision can reach.
    this.#tolerance = 8 * engine.epsilon;
  }

  abstract forward(out: Matrix, input: Matrix, logDet: Matrix): Promise<void>;
  abstract inverse(out: Matrix, input: Matrix, logDet: Matrix): Promise<void>;
  abstract backward(inputBar: Matrix, outputBar: Matrix, logDetBar: Matrix): void;

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

  /** The workspace at the batch of the pass at hand. */
  protected views(batch: number): Views {
    if (this.#views?.batch !== batch) {
      this.#views = this.network.views(this.workspace, batch, this.network.dim);
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

  /** out = the solution w of w + sign G(w) = target, from `start` on; the jet of G there is left in the views. */
  protected async solve(out: Matrix, target: Matrix, start: Matrix, sign: 1 | -1): Promise<Views> {
    const { engine, network } = this;
    const views = this.views(target.lanes);
    const w = this.point(views);
    engine.combine(w, 1, start);
    const state = matrix(this.#state, 3 * network.dim + 2, views.batch);
    const step = await newton(engine, network, views, target, state, sign, this.#tolerance, this.counts);
    engine.combine(out, 1, w, -1, step);
    return views;
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
   * for the network's parameters stays pending, and its gradient for w is returned.
   */
  protected logDetBackward(views: Views, logDetBar: Matrix, plus: number, minus: number): Matrix {
    this.engine.logDetCotangent(views.outputBar, logDetBar, views.output, plus, minus);
    this.network.backward(views);
    return this.inputBar(views);
  }

  /** Ends a backward pass: G's parameters also receive the gradient of valueBar^T G(w). */
  protected finish(views: Views, valueBar: Matrix): void {
    this.network.backwardValues(views, valueBar);
    this.network.accumulate(views);
  }
}

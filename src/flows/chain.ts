/**
 * A chain of bijections F = F_n o ... o F_1 on an engine, with the points h_0 = x, h_i = F_i(h_(i-1)), h_n = z between them.
 * All memory is planned here, for `capacity` samples a pass; calls must not overlap.
 */
import type { Bijection } from "../bijections/bijection.js";
import { type BijectionDeclaration, bijectionKind, shapeAfter } from "../bijections/index.js";
import { type LipschitzBlock, lipschitzBlocks } from "../bijections/lipschitz-block.js";
import { Regimes } from "../bijections/regimes.js";
import { type Engine, type Matrix, matrix, paddedLanes, rowsOf, type Tensor } from "../engine/engine.js";
import type { Estimator } from "../logdet/estimator.js";
import type { PassKey } from "../logdet/probes.js";
import { type GradientSource, joint } from "../model/gradients.js";
import type { Parameters } from "../model/parameters.js";
import { Purpose, Random } from "../model/random.js";
import { placesOf, type Shape, sizeOf } from "../shape.js";

export interface ChainOptions {
  /** Of the input. */
  readonly shape: Shape;
  readonly bijections: readonly BijectionDeclaration[];
  /** Absent: log-determinants are exact. */
  readonly estimator?: Estimator | undefined;
  /** Of the first weights. */
  readonly seed: number;
  /** Samples a pass, at most. */
  readonly capacity: number;
}

/** A bijection's place in words: "block 3 (monotone)". */
const placeOf = (index: number, kind: string) => `block ${index + 1} (${kind})`;

export class Chain {
  readonly engine: Engine;
  readonly dim: number;
  /** Samples that one pass can take. */
  readonly capacity: number;
  readonly bijections: readonly Bijection[];
  /** shapes[i] is that of what goes into the i-th bijection, the last one that of what comes out in the end. */
  readonly shapes: readonly Shape[];
  readonly gradients: GradientSource;
  /** Called between the blocks of all work: there others can have their turn, and an error ends what is being done. */
  pause: (() => Promise<void>) | null = null;
  readonly #points: Tensor[];
  readonly #bars: [Tensor, Tensor];

  constructor(engine: Engine, parameters: Parameters, options: ChainOptions) {
    const { shape, bijections, estimator, seed, capacity } = options;
    this.engine = engine;
    this.dim = sizeOf(shape);
    this.capacity = capacity;
    const shapes = [shape];
    for (const declaration of bijections) shapes.push(shapeAfter(declaration, shapes[shapes.length - 1]));
    this.shapes = shapes;
    const batch = paddedLanes(engine, capacity);
    const regimes = new Regimes(engine, capacity, estimator);
    this.bijections = bijections.map((declaration, i) => {
      const name = `bijections.${i}`;
      const own = parameters.ownedBy(placeOf(i, declaration.kind));
      const random = new Random(seed, Purpose.initialisation, i);
      return bijectionKind(declaration).make(declaration, {
        engine,
        parameters: own,
        name,
        shape: shapes[i],
        capacity: batch,
        random,
        regime: (network) => regimes.make(own, name, network, shapes[i], random),
      });
    });
    this.gradients = joint(this.bijections);
    this.#points = Array.from({ length: bijections.length + 1 }, () => engine.tensor(this.dim * batch));
    this.#bars = [engine.tensor(this.dim * batch), engine.tensor(this.dim * batch)];
  }

  get length(): number {
    return this.bijections.length;
  }

  /** The blocks that hold a network, with their places in the chain. */
  get blocks(): { index: number; block: LipschitzBlock }[] {
    return lipschitzBlocks(this.bijections);
  }

  /** The place of the i-th bijection in words, for messages. */
  placeOf(i: number): string {
    return placeOf(i, this.bijections[i].kind);
  }

  /** Sends all parameters to the engine; every block is a contraction then. */
  prepare(): void {
    for (const b of this.bijections) b.prepare();
  }

  /** At most `rounds` rounds of power iteration on every weight (default: what a training step does). */
  async iterate(rounds?: number): Promise<void> {
    for (const b of this.bijections) {
      await b.iterate?.(rounds);
      await this.pause?.();
    }
  }

  /** Certifies that every bijection is one as it is prepared, once after `prepare`, and makes it one where it is not. */
  makeCertain(): void {
    for (const b of this.bijections) b.makeCertain?.();
  }

  /** h_i of a pass of `count` samples: one row a dimension, a lane a sample. */
  point(i: number, count: number): Matrix {
    return matrix(this.#points[i], this.dim, paddedLanes(this.engine, count));
  }

  /** h_(from + 1), ..., h_to from h_from; log-determinants are added to `logDet`, unless that is null. */
  async forward(
    count: number,
    pass: PassKey,
    logDet: Matrix | null,
    from = 0,
    to = this.length,
  ): Promise<void> {
    for (let i = from; i < to; i++) {
      const ends = [this.point(i + 1, count), this.point(i, count)] as const;
      await this.#through(i, this.shapes[i + 1], this.shapes[i], ends, (bijection, out, input) =>
        bijection.forward(out, input, logDet, pass),
      );
    }
  }

  /** x from the z that stands in the place of h_0; the log-determinants of the inverse are added to `logDet`. */
  async inverse(count: number, pass: PassKey, logDet: Matrix | null): Promise<Matrix> {
    // To and fro between two points: none of a forward pass is needed again.
    let [input, output] = [this.point(0, count), this.point(1, count)];
    for (let i = this.length - 1; i >= 0; i--) {
      await this.#through(i, this.shapes[i], this.shapes[i + 1], [output, input], (bijection, out, from) =>
        bijection.inverse(out, from, logDet, pass),
      );
      [input, output] = [output, input];
    }
    return input;
  }

  /** Where `backward` expects the cotangents of z, of a pass of `count` samples. */
  outputBar(count: number): Matrix {
    return matrix(this.#bars[0], this.dim, paddedLanes(this.engine, count));
  }

  /**
   * The last `forward` backwards, from the cotangents of z in `outputBar` and of the log-determinants (null: none were taken).
   * Returns those of x; the parameters' gradients are left to be collected.
   */
  async backward(count: number, pass: PassKey, logDetBar: Matrix | null): Promise<Matrix> {
    const lanes = paddedLanes(this.engine, count);
    let [from, to] = this.#bars.map((tensor) => matrix(tensor, this.dim, lanes));
    for (let i = this.length - 1; i >= 0; i--) {
      await this.#through(i, this.shapes[i], this.shapes[i + 1], [to, from], (bijection, xBar, yBar) =>
        bijection.backward(xBar, yBar, logDetBar, pass),
      );
      [from, to] = [to, from];
    }
    return from;
  }

  /** Of each sample of the last pass, the place (from 1) of the first block whose solve missed its tolerance, or 0. */
  unconvergedPlaces(count: number, direction: "forward" | "inverse"): Int32Array {
    const places = new Int32Array(count);
    const order = [...this.bijections.keys()];
    for (const i of direction === "forward" ? order : order.reverse()) {
      for (const lane of this.bijections[i].counts?.unconvergedLanes ?? []) {
        if (lane < count && places[lane] === 0) places[lane] = i + 1;
      }
    }
    return places;
  }

  /** Forgets which solves missed their tolerance. */
  clearUnconverged(): void {
    for (const { counts } of this.bijections) if (counts) counts.unconvergedLanes = [];
  }

  /** Calls `step` with what the i-th bijection works on; what has left the chain goes along. */
  async #through(
    i: number,
    outShape: Shape,
    inputShape: Shape,
    [out, input]: readonly [Matrix, Matrix],
    step: (bijection: Bijection, out: Matrix, input: Matrix) => Promise<void>,
  ): Promise<void> {
    // Numbers leave the chain behind the step that has them leave, and are back before it is undone.
    const to = split(out, larger(outShape, inputShape));
    const from = split(input, larger(inputShape, outShape));
    await step(this.bijections[i], to.active, from.active);
    if (to.done && from.done) this.engine.combine(to.done, 1, from.done);
    await this.pause?.();
  }
}

/** The shape itself, or the other one if that has more numbers. */
const larger = (own: Shape, other: Shape) => (sizeOf(other) > sizeOf(own) ? other : own);

/** The part of a point that a bijection works on, one row a channel, and the part that has left the chain. */
function split(whole: Matrix, shape: Shape): { active: Matrix; done: Matrix | null } {
  const size = sizeOf(shape);
  const lanes = whole.lanes * placesOf(shape);
  const active = { ...whole, rows: shape.channels, lanes, stride: lanes };
  const done = size < whole.rows ? rowsOf(whole, size, whole.rows - size) : null;
  return { active, done };
}

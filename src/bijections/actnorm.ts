/**
 * Activation normalisation (Kingma and Dhariwal 2018): y = (x + shift) exp(logScale), a row at a time,
 * log|det| = sum of logScale. Before the first training step it is set so that its output has mean 0 and
 * variance 1 on that step's batch. On images a row is a channel, and its log-scale counts once a pixel.
 *
 * With a floor, no variance counts as less than that at the start, and variances are those of samples (divided by n - 1),
 * both as in the code of residual flows: rows of a small variance are not blown up.
 */
import { z } from "zod";
import { type Engine, type Matrix, matrix, type Tensor } from "../engine/engine.js";
import type { Parameter, ParameterMaker } from "../model/parameters.js";
import { placesOf } from "../shape.js";
import type { Bijection } from "./bijection.js";
import type { BijectionKind } from "./kind.js";

export class Actnorm implements Bijection {
  readonly kind = "actnorm";
  readonly shift: Parameter;
  readonly logScale: Parameter;
  /** One number: 0 until `initialise`. */
  readonly started: Parameter;
  readonly #engine: Engine;
  readonly #dim: number;
  readonly #places: number;
  /** Columns of dim numbers: scale, shift scale, 1/scale, -shift, zeros. */
  readonly #columns: Tensor;
  /** 1, the log-determinant of the forward map, and that of the inverse. */
  readonly #scalars: Tensor;
  /** Sums over the lanes: of yBar (dim), of yBar x (dim), and of logDetBar. */
  readonly #sums: Tensor;
  #input: Matrix | null = null;

  /** The least variance that counts at the start. */
  readonly #floor: number | null;

  /** `dim` rows, each with `places` numbers a sample; `floor`: the least variance that counts at the start. */
  constructor(
    engine: Engine,
    parameters: ParameterMaker,
    name: string,
    dim: number,
    places = 1,
    floor: number | null = null,
  ) {
    this.#engine = engine;
    this.#floor = floor;
    this.#dim = dim;
    this.#places = places;
    this.shift = parameters.learned(`${name}.shift`, [dim], new Float64Array(dim));
    this.logScale = parameters.learned(`${name}.logScale`, [dim], new Float64Array(dim));
    this.started = parameters.state(`${name}.started`, [1], new Float64Array(1));
    this.#columns = engine.tensor(5 * dim);
    this.#scalars = engine.tensor(3);
    this.#sums = engine.tensor(2 * dim + 1);
  }

  #column(index: number): Matrix {
    return matrix(this.#columns, this.#dim, 1, index * this.#dim);
  }

  #scalar(index: number): Matrix {
    return matrix(this.#scalars, 1, 1, index);
  }

  prepare(): void {
    const shift = this.shift.values;
    const scale = this.logScale.values.map(Math.exp);
    const columns = [scale, scale.map((s, i) => s * shift[i]), scale.map((s) => 1 / s), shift.map((s) => -s)];
    columns.forEach((column, i) => {
      this.#engine.write(this.#columns, column, i * this.#dim);
    });
    const total = this.#places * this.logScale.values.reduce((a, b) => a + b, 0);
    this.#engine.write(this.#scalars, [1, total, -total]);
  }

  get uninitialised(): boolean {
    return this.started.values[0] !== 1;
  }

  /** That of its one dimension. */
  slopes(): readonly [number, number] {
    const scale = Math.exp(this.logScale.values[0]);
    return [scale, scale];
  }

  /**
   * Sets shift and scale from the means and mean squared deviations of the input's rows, of so many samples, once in a
   * model's life.
   */
  initialise(mean: ArrayLike<number>, variance: ArrayLike<number>, samples: number): void {
    const floor = this.#floor;
    const count = samples * this.#places;
    for (let i = 0; i < this.#dim; i++) {
      this.shift.values[i] = -mean[i];
      this.logScale.values[i] =
        floor === null
          ? -Math.log(Math.sqrt(variance[i]) + 1e-6)
          : -0.5 * Math.log(Math.max(floor, (variance[i] * count) / Math.max(1, count - 1)));
    }
    this.started.values[0] = 1;
    this.prepare();
  }

  async forward(y: Matrix, x: Matrix, logDet: Matrix | null): Promise<void> {
    this.#input = x;
    this.#engine.affine(y, x, this.#column(0), this.#column(1));
    if (logDet) this.#engine.affine(logDet, logDet, this.#scalar(0), this.#scalar(1));
  }

  async inverse(x: Matrix, y: Matrix, logDet: Matrix | null): Promise<void> {
    this.#engine.affine(x, y, this.#column(2), this.#column(3));
    if (logDet) this.#engine.affine(logDet, logDet, this.#scalar(0), this.#scalar(2));
  }

  async backward(xBar: Matrix, yBar: Matrix, logDetBar: Matrix | null): Promise<void> {
    if (!this.#input) throw new Error("backward before forward");
    const sums = (first: number, rows: number) => matrix(this.#sums, rows, 1, first);
    this.#engine.rowSums(sums(0, this.#dim), yBar, null);
    this.#engine.rowSums(sums(this.#dim, this.#dim), yBar, this.#input);
    if (logDetBar) this.#engine.rowSums(sums(2 * this.#dim, 1), logDetBar, null);
    this.#engine.affine(xBar, yBar, this.#column(0), this.#column(4));
  }

  get gradientLength(): number {
    return 2 * this.#dim + 1;
  }

  async takeGradient(out: Float64Array): Promise<void> {
    await this.#engine.read(this.#sums, out);
    this.#engine.fill(matrix(this.#sums, 1, out.length), 0);
  }

  pullBack(sums: Float64Array): void {
    for (let i = 0; i < this.#dim; i++) {
      const scale = Math.exp(this.logScale.values[i]);
      this.shift.gradient[i] += scale * sums[i];
      this.logScale.gradient[i] +=
        scale * (sums[this.#dim + i] + this.shift.values[i] * sums[i]) + this.#places * sums[2 * this.#dim];
    }
  }
}

const schema = z.strictObject({
  kind: z.literal("actnorm"),
  /** The least variance that counts where it starts from a batch (default: none). */
  varianceFloor: z.number().positive().optional(),
});

export const actnorm: BijectionKind<z.infer<typeof schema>> = {
  kind: "actnorm",
  schema,
  cost: (sum, _, { channels }) => sum.learns(2 * channels),
  make: ({ varianceFloor }, { engine, parameters, name, shape }) =>
    new Actnorm(engine, parameters, name, shape.channels, placesOf(shape), varianceFloor),
};

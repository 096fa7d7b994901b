import type { Engine, Matrix } from "../engine/engine.js";
import type { Parameter } from "../model/parameters.js";
import { Purpose, Random } from "../model/random.js";
import { Table } from "../table.js";
import type { Base } from "./base.js";

/**
 * A base distribution that is computed on the host, in float64, a sample at a time: latents are read from the engine, and
 * cotangents written to it. Enough for densities of a few operations a number.
 */
export abstract class HostBase implements Base {
  abstract readonly kind: string;
  protected readonly dim: number;
  readonly #engine: Engine;
  readonly #parameters: readonly Parameter[];
  /** The latents of the last `addLogDensity`, [dimension][lane], and room for a number a lane. */
  readonly #z: Float64Array;
  readonly #lanes: Float64Array;
  /** The gradients of the parameters that backward passes have left, one after the other. */
  readonly #gradients: readonly Float64Array[];

  constructor(engine: Engine, dim: number, capacity: number, parameters: readonly Parameter[]) {
    this.#engine = engine;
    this.dim = dim;
    this.#parameters = parameters;
    this.#z = new Float64Array(dim * capacity);
    this.#lanes = new Float64Array(capacity);
    this.#gradients = parameters.map(({ values }) => new Float64Array(values.length));
  }

  /** log of the density at z. */
  protected abstract logDensity(z: Float64Array): number;
  /**
   * zBar = bar * d log p / dz; adds bar * d log p / dparameter to `gradients`, which are in the order of the parameters.
   */
  protected abstract pull(
    z: Float64Array,
    bar: number,
    zBar: Float64Array,
    gradients: readonly Float64Array[],
  ): void;
  /** One draw. */
  protected abstract draw(z: Float64Array, random: Random): void;
  abstract prepare(): void;

  async addLogDensity(logDensity: Matrix, z: Matrix): Promise<void> {
    const { lanes } = z;
    const values = this.#z.subarray(0, this.dim * lanes);
    const sums = this.#lanes.subarray(0, lanes);
    await this.#engine.read(z.tensor, values, z.offset);
    await this.#engine.read(logDensity.tensor, sums, logDensity.offset);
    const point = new Float64Array(this.dim);
    for (let i = 0; i < lanes; i++) {
      for (let j = 0; j < this.dim; j++) point[j] = values[j * lanes + i];
      sums[i] += this.logDensity(point);
    }
    this.#engine.write(logDensity.tensor, sums, logDensity.offset);
  }

  async backward(zBar: Matrix, z: Matrix, logDensityBar: Matrix): Promise<void> {
    const { lanes } = z;
    const bars = this.#lanes.subarray(0, lanes);
    await this.#engine.read(logDensityBar.tensor, bars, logDensityBar.offset);
    const out = new Float64Array(this.dim * lanes);
    const point = new Float64Array(this.dim);
    const pulled = new Float64Array(this.dim);
    for (let i = 0; i < lanes; i++) {
      if (bars[i] === 0) continue;
      for (let j = 0; j < this.dim; j++) point[j] = this.#z[j * lanes + i];
      this.pull(point, bars[i], pulled, this.#gradients);
      for (let j = 0; j < this.dim; j++) out[j * lanes + i] = pulled[j];
    }
    this.#engine.write(zBar.tensor, out, zBar.offset);
  }

  sample(count: number, seed: number): Table {
    const table = new Table(count, this.dim);
    const random = new Random(seed, Purpose.sampling);
    for (let i = 0; i < count; i++) this.draw(table.row(i), random.seek(0, i));
    return table;
  }

  get gradientLength(): number {
    return this.#gradients.reduce((sum, { length }) => sum + length, 0);
  }

  async takeGradient(out: Float64Array): Promise<void> {
    let at = 0;
    for (const gradient of this.#gradients) {
      out.set(gradient, at);
      gradient.fill(0);
      at += gradient.length;
    }
  }

  pullBack(gradient: Float64Array): void {
    let at = 0;
    for (const parameter of this.#parameters) {
      for (let i = 0; i < parameter.gradient.length; i++) parameter.gradient[i] += gradient[at++];
    }
  }
}

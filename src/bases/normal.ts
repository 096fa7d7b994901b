import { z } from "zod";
import type { Engine, Matrix } from "../engine/engine.js";
import { Purpose, Random } from "../model/random.js";
import { Table } from "../table.js";
import type { Base } from "./base.js";
import type { BaseKind } from "./kind.js";

/** The standard normal: log p(z) = -|z|^2 / 2 - (dim / 2) ln 2 pi, with the gradient -z. */
export class Normal implements Base {
  readonly kind = "normal";
  readonly gradientLength = 0;
  readonly #engine: Engine;
  readonly #dim: number;

  constructor(engine: Engine, dim: number) {
    this.#engine = engine;
    this.#dim = dim;
  }

  async addLogDensity(logDensity: Matrix, z: Matrix): Promise<void> {
    this.#engine.gaussianLogDensity(logDensity, z);
  }

  async backward(zBar: Matrix, z: Matrix, logDensityBar: Matrix): Promise<void> {
    this.#engine.scaleSamples(zBar, logDensityBar, z, false);
    this.#engine.combine(zBar, -1, zBar);
  }

  sample(count: number, seed: number): Table {
    const z = new Table(count, this.#dim);
    const random = new Random(seed, Purpose.sampling);
    for (let i = 0; i < count; i++) {
      random.seek(0, i);
      for (let j = 0; j < this.#dim; j++) z.values[i * this.#dim + j] = random.normal();
    }
    return z;
  }

  prepare(): void {}

  async takeGradient(): Promise<void> {}

  pullBack(): void {}
}

const schema = z.strictObject({ kind: z.literal("normal") });

export const normal: BaseKind<z.infer<typeof schema>> = {
  kind: "normal",
  schema,
  make: (_, { engine, dim }) => new Normal(engine, dim),
};

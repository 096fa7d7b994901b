/**
 * A bijection that the package does not know, in one file, by the public API alone: a shear of the plane,
 *   y = (x1, x2 + a tanh(x1)), det = 1, with one learned number a.
 * Gradients: a receives sum of y2Bar tanh(x1); x1Bar = y1Bar + a (1 - tanh(x1)^2) y2Bar.
 */
import { z } from "zod";
import {
  type Bijection,
  type BijectionKind,
  type Engine,
  type Matrix,
  type Parameter,
  registerBijection,
  type Site,
} from "../../src/index.js";

const schema = z.strictObject({ kind: z.literal("shear"), start: z.number().optional() });

class Shear implements Bijection {
  readonly kind = "shear";
  readonly gradientLength = 1;
  readonly #engine: Engine;
  readonly #a: Parameter;
  #x: Float64Array = new Float64Array(0);
  #gradient = 0;

  constructor({ engine, parameters, name }: Site, start: number) {
    this.#engine = engine;
    this.#a = parameters.learned(`${name}.a`, [1], Float64Array.of(start));
  }

  async #rows(m: Matrix): Promise<Float64Array> {
    const values = new Float64Array(2 * m.lanes);
    await this.#engine.read(m.tensor, values, m.offset);
    return values;
  }

  async #shear(out: Matrix, input: Matrix, sign: 1 | -1): Promise<void> {
    const values = await this.#rows(input);
    this.#x = values.slice();
    const { lanes } = input;
    for (let i = 0; i < lanes; i++) values[lanes + i] += sign * this.#a.values[0] * Math.tanh(values[i]);
    this.#engine.write(out.tensor, values, out.offset);
  }

  forward(y: Matrix, x: Matrix): Promise<void> {
    return this.#shear(y, x, 1);
  }

  inverse(x: Matrix, y: Matrix): Promise<void> {
    return this.#shear(x, y, -1);
  }

  async backward(xBar: Matrix, yBar: Matrix): Promise<void> {
    const bars = await this.#rows(yBar);
    const { lanes } = yBar;
    for (let i = 0; i < lanes; i++) {
      const t = Math.tanh(this.#x[i]);
      this.#gradient += bars[lanes + i] * t;
      bars[i] += this.#a.values[0] * (1 - t * t) * bars[lanes + i];
    }
    this.#engine.write(xBar.tensor, bars, xBar.offset);
  }

  prepare(): void {}

  async takeGradient(out: Float64Array): Promise<void> {
    out[0] = this.#gradient;
    this.#gradient = 0;
  }

  pullBack(gradient: Float64Array): void {
    this.#a.gradient[0] += gradient[0];
  }
}

export const shear: BijectionKind<z.infer<typeof schema>> = {
  kind: "shear",
  schema,
  cost: (sum) => sum.learns(1),
  make: ({ start = 0 }, site) => new Shear(site, start),
};

declare module "../../src/index.js" {
  interface RegisteredBijections {
    shear: z.infer<typeof schema>;
  }
}

registerBijection(shear, { module: import.meta.url });

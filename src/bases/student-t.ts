import { z as zod } from "zod";
import type { Parameter } from "../model/parameters.js";
import type { Random } from "../model/random.js";
import { digamma, drawGamma, logGamma } from "./gamma.js";
import { HostBase } from "./host-base.js";
import type { BaseKind, BaseSite } from "./kind.js";

/**
 * Student's t with learned degrees of freedom nu = e^theta, one for each dimension, which are independent:
 *   log p(z) = sum over j of ln Gamma((nu + 1) / 2) - ln Gamma(nu / 2) - ln(nu pi) / 2 - (nu + 1) / 2 ln(1 + z_j^2 / nu).
 * Its tails are those of a power, so that data with outliers do not bend the flow.
 */
export class StudentT extends HostBase {
  readonly kind = "student-t";
  /** theta. */
  readonly logDegrees: Parameter;
  #degrees = new Float64Array(0);
  #constant = 0;
  /** d constant / dnu for each dimension. */
  #slopes = new Float64Array(0);

  constructor({ engine, parameters, dim, capacity }: BaseSite, degrees: number) {
    const logDegrees = parameters.learned(
      "base.logDegrees",
      [dim],
      new Float64Array(dim).fill(Math.log(degrees)),
    );
    super(engine, dim, capacity, [logDegrees]);
    this.logDegrees = logDegrees;
    this.prepare();
  }

  prepare(): void {
    this.#degrees = this.logDegrees.values.map(Math.exp);
    this.#constant = this.#degrees.reduce(
      (sum, nu) => sum + logGamma((nu + 1) / 2) - logGamma(nu / 2) - Math.log(nu * Math.PI) / 2,
      0,
    );
    this.#slopes = this.#degrees.map((nu) => (digamma((nu + 1) / 2) - digamma(nu / 2) - 1 / nu) / 2);
  }

  protected logDensity(z: Float64Array): number {
    let sum = this.#constant;
    for (let j = 0; j < this.dim; j++) {
      const nu = this.#degrees[j];
      sum -= ((nu + 1) / 2) * Math.log1p((z[j] * z[j]) / nu);
    }
    return sum;
  }

  protected pull(
    z: Float64Array,
    bar: number,
    zBar: Float64Array,
    [thetaBar]: readonly Float64Array[],
  ): void {
    for (let j = 0; j < this.dim; j++) {
      const nu = this.#degrees[j];
      const square = z[j] * z[j];
      zBar[j] = (-bar * (nu + 1) * z[j]) / (nu + square);
      const slope =
        this.#slopes[j] - Math.log1p(square / nu) / 2 + ((nu + 1) * square) / (2 * nu * (nu + square));
      thetaBar[j] += bar * nu * slope;
    }
  }

  protected draw(z: Float64Array, random: Random): void {
    for (let j = 0; j < this.dim; j++) {
      const nu = this.#degrees[j];
      z[j] = random.normal() / Math.sqrt((2 * drawGamma(nu / 2, random)) / nu);
    }
  }
}

const schema = zod.strictObject({
  kind: zod.literal("student-t"),
  /** Where the degrees of freedom start (default 10). */
  degrees: zod.number().positive().max(1e6).optional(),
});

export const studentT: BaseKind<zod.infer<typeof schema>> = {
  kind: "student-t",
  schema,
  learned: (_, dim) => dim,
  make: ({ degrees = 10 }, site) => new StudentT(site, degrees),
};

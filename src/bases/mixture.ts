import { z as zod } from "zod";
import type { Parameter } from "../model/parameters.js";
import type { Random } from "../model/random.js";
import { HostBase } from "./host-base.js";
import type { BaseKind, BaseSite } from "./kind.js";

const LOG_TWO_PI = Math.log(2 * Math.PI);

/**
 * A mixture of normals with learned weights, means and deviations:
 *   p(z) = sum over k of w_k prod over j of N(z_j; m_kj, e^s_kj), w = softmax(a).
 * With the responsibilities r_k = w_k N_k / p and u_kj = (z_j - m_kj) e^-s_kj:
 *   d/dz_j = -sum r_k u_kj e^-s_kj, d/dm_kj = r_k u_kj e^-s_kj, d/ds_kj = r_k (u_kj^2 - 1), d/da_k = r_k - w_k.
 */
export class Mixture extends HostBase {
  readonly kind = "mixture";
  /** a, [component]. */
  readonly logits: Parameter;
  /** m and s, [component][dimension]. */
  readonly means: Parameter;
  readonly logDeviations: Parameter;
  readonly #components: number;
  /** ln w_k - sum of s_kj, and w_k. */
  readonly #heights: Float64Array;
  readonly #weights: Float64Array;
  /** e^-s_kj. */
  readonly #precisions: Float64Array;
  /** ln w_k N_k of a sample, without the constant. */
  readonly #parts: Float64Array;

  constructor({ engine, parameters, dim, capacity, random }: BaseSite, components: number) {
    const numbers = components * dim;
    const logits = parameters.learned("base.logits", [components], new Float64Array(components));
    const means = parameters.learned(
      "base.means",
      [components, dim],
      Float64Array.from({ length: numbers }, () => random.normal()),
    );
    const logDeviations = parameters.learned(
      "base.logDeviations",
      [components, dim],
      new Float64Array(numbers),
    );
    super(engine, dim, capacity, [logits, means, logDeviations]);
    this.logits = logits;
    this.means = means;
    this.logDeviations = logDeviations;
    this.#components = components;
    this.#heights = new Float64Array(components);
    this.#weights = new Float64Array(components);
    this.#parts = new Float64Array(components);
    this.#precisions = new Float64Array(numbers);
    this.prepare();
  }

  prepare(): void {
    const { dim } = this;
    const total = logSumExp(this.logits.values);
    for (let k = 0; k < this.#components; k++) {
      const logWeight = this.logits.values[k] - total;
      this.#weights[k] = Math.exp(logWeight);
      this.#heights[k] = logWeight;
      for (let i = k * dim; i < (k + 1) * dim; i++) {
        this.#precisions[i] = Math.exp(-this.logDeviations.values[i]);
        this.#heights[k] -= this.logDeviations.values[i];
      }
    }
  }

  protected logDensity(z: Float64Array): number {
    const { dim } = this;
    for (let k = 0, i = 0; k < this.#components; k++) {
      let squares = 0;
      for (let j = 0; j < dim; j++, i++) {
        squares += ((z[j] - this.means.values[i]) * this.#precisions[i]) ** 2;
      }
      this.#parts[k] = this.#heights[k] - squares / 2;
    }
    return logSumExp(this.#parts) - (dim / 2) * LOG_TWO_PI;
  }

  protected pull(
    z: Float64Array,
    bar: number,
    zBar: Float64Array,
    [logitsBar, meansBar, logDeviationsBar]: readonly Float64Array[],
  ): void {
    const { dim } = this;
    const total = this.logDensity(z) + (dim / 2) * LOG_TWO_PI;
    zBar.fill(0);
    for (let k = 0, i = 0; k < this.#components; k++) {
      const share = bar * Math.exp(this.#parts[k] - total);
      logitsBar[k] += share - bar * this.#weights[k];
      for (let j = 0; j < dim; j++, i++) {
        const u = (z[j] - this.means.values[i]) * this.#precisions[i];
        const meanBar = share * u * this.#precisions[i];
        zBar[j] -= meanBar;
        meansBar[i] += meanBar;
        logDeviationsBar[i] += share * (u * u - 1);
      }
    }
  }

  protected draw(z: Float64Array, random: Random): void {
    let rest = random.uniform();
    let k = 0;
    while (k < this.#components - 1 && rest >= this.#weights[k]) rest -= this.#weights[k++];
    for (let j = 0, i = k * this.dim; j < this.dim; j++, i++) {
      z[j] = this.means.values[i] + random.normal() / this.#precisions[i];
    }
  }
}

function logSumExp(values: Float64Array): number {
  const largest = values.reduce((a, b) => Math.max(a, b));
  if (largest === Number.NEGATIVE_INFINITY) return largest;
  return largest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0));
}

const schema = zod.strictObject({
  kind: zod.literal("mixture"),
  /** Normals (default 8). */
  components: zod.number().int().min(1).max(1_024).optional(),
});

export const mixture: BaseKind<zod.infer<typeof schema>> = {
  kind: "mixture",
  schema,
  learned: ({ components = 8 }, dim) => components * (1 + 2 * dim),
  make: ({ components = 8 }, site) => new Mixture(site, components),
};

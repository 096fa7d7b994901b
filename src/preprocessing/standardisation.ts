import type { Preprocessing, Rows } from "./preprocessing.js";

/** y = (x - mean) / deviation, a column at a time; log|dy/dx| = -ln deviation. */
export class Standardisation implements Preprocessing {
  readonly term = "standardisation";
  readonly drawn = false;
  readonly #mean: readonly number[];
  readonly #deviation: readonly number[];
  readonly #logDeviations: readonly number[];

  constructor({ mean, deviation }: { mean: readonly number[]; deviation: readonly number[] }) {
    this.#mean = mean;
    this.#deviation = deviation;
    this.#logDeviations = deviation.map(Math.log);
  }

  forward({ values, count, dim, term }: Rows): void {
    for (let i = 0, at = 0; i < count; i++) {
      for (let j = 0; j < dim; j++, at++) {
        values[at] = (values[at] - this.#mean[j]) / this.#deviation[j];
        term[i] -= this.#logDeviations[j];
      }
    }
  }

  inverse({ values, count, dim, term }: Rows): void {
    for (let i = 0, at = 0; i < count; i++) {
      for (let j = 0; j < dim; j++, at++) {
        values[at] = values[at] * this.#deviation[j] + this.#mean[j];
        term[i] += this.#logDeviations[j];
      }
    }
  }

  backward(bars: Float64Array, count: number): void {
    const dim = this.#mean.length;
    for (let at = 0; at < count * dim; at++) bars[at] /= this.#deviation[at % dim];
  }
}

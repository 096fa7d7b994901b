import type { Preprocessing, Rows } from "./preprocessing.js";

export interface PixelRange {
  /** Pixels are 0 to levels - 1, and noise up to 1 is added to them. */
  readonly levels: number;
  /** How far from 0 and 1 the logit keeps. */
  readonly alpha: number;
}

/**
 * The logit of pixels x in [0, levels] (Dinh et al. 2017): p = alpha + (1 - 2 alpha) x / levels, y = ln p - ln(1 - p).
 *
 * It has a value where 0 < p < 1, which reaches a little, alpha levels / (1 - 2 alpha), beyond [0, levels]: that is the support.
 */
export class Logit implements Preprocessing {
  readonly term = "logit";
  readonly drawn = false;
  readonly #levels: number;
  readonly #alpha: number;
  /** 1 - 2 alpha. */
  readonly #share: number;
  /** y of the last `forward`. */
  #y: Float64Array = new Float64Array(0);

  constructor({ levels, alpha }: PixelRange) {
    this.#levels = levels;
    this.#alpha = alpha;
    this.#share = 1 - 2 * alpha;
  }

  /** ln dy/dx: dy/dx = share / levels / (p (1 - p)), and p (1 - p) = e^-|y| / (1 + e^-|y|)^2. */
  #logSlope(y: number): number {
    const size = Math.abs(y);
    return Math.log(this.#share / this.#levels) + size + 2 * Math.log1p(Math.exp(-size));
  }

  forward({ values, count, dim, term, outside }: Rows): void {
    for (let i = 0, at = 0; i < count; i++) {
      for (let j = 0; j < dim; j++, at++) {
        const p = this.#alpha + (this.#share * values[at]) / this.#levels;
        const y = Math.log(p) - Math.log1p(-p);
        if (p <= 0 || p >= 1) outside[i] = 1;
        values[at] = y;
        term[i] += this.#logSlope(y);
      }
    }
    this.#y = values;
  }

  inverse({ values, count, dim, term }: Rows): void {
    for (let i = 0, at = 0; i < count; i++) {
      for (let j = 0; j < dim; j++, at++) {
        const y = values[at];
        values[at] = (this.#levels * (1 / (1 + Math.exp(-y)) - this.#alpha)) / this.#share;
        term[i] -= this.#logSlope(y);
      }
    }
  }

  /** d(log|dy/dx|)/dy = tanh(y / 2). */
  backward(bars: Float64Array, _count: number, termBar: number): void {
    for (let at = 0; at < bars.length; at++) {
      const y = this.#y[at];
      bars[at] = Math.exp(this.#logSlope(y)) * (bars[at] + termBar * Math.tanh(y / 2));
    }
  }
}

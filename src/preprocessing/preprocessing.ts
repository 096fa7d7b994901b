/**
 * What stands before the chain, in float64 on the host: from the numbers of the data to those that bijections like. A flow has
 * any number of such steps; each adds its term to log p(x).
 */

import type { PassKey } from "../logdet/probes.js";
import type { GradientSource } from "../model/gradients.js";

/** The rows of a pass on their way from the data to the chain, or back. */
export class Rows {
  readonly count: number;
  readonly dim: number;
  /** Row-major. */
  readonly values: Float64Array;
  /** Of each row what a step adds to log p(x), in nats. */
  readonly term: Float64Array;
  /** Rows outside of the model's support are 1: their values mean nothing. */
  readonly outside: Uint8Array;

  constructor(values: ArrayLike<number>, count: number, dim: number) {
    this.count = count;
    this.dim = dim;
    this.values = Float64Array.from(values).subarray(0, count * dim);
    this.term = new Float64Array(count);
    this.outside = new Uint8Array(count);
  }
}

export interface Preprocessing {
  /** The name of its term in log p(x). */
  readonly term: string;
  /**
   * Whether it draws: then only densities of data and training do it, while maps of points leave it out, and what it adds
   * is minus the log-density of what was drawn.
   */
  readonly drawn: boolean;
  /** Its learned numbers, if it has any. */
  readonly gradients?: GradientSource;
  /** x to y in place; adds log|dy/dx| to the term, and marks the rows that it has no y for. */
  forward(rows: Rows, pass: PassKey): void | Promise<void>;
  /** y to x in place; adds log|dx/dy| to the term. */
  inverse(rows: Rows): void;
  /**
   * dLoss/dy to dLoss/dx in place, of the last `forward`, where its term has the cotangent `termBar` in every row; leaves
   * the gradient of what it has learned to be collected.
   */
  backward(bars: Float64Array, count: number, termBar: number): void;
  /** Takes its parameters as they are now; before the first pass after every change of them. */
  prepare?(): void;
  /** Rounds of power iteration, where there are weights to normalise. */
  iterate?(rounds?: number): Promise<void>;
  /** As `iterate`, once for the weights that it starts with: as many rounds as their norms take to converge. */
  startNorms?(): Promise<void>;
}

/** The terms of log p(x), a number a row each. */

/** One term of log p(x), in nats, a number a row. */
export interface Term {
  /**
   * `base`, `log-determinant` or that of one bijection (`block 3 (monotone)`), or that of a step of the preprocessing:
   * `standardisation`, `logit`, `noise`.
   */
  readonly name: string;
  /** A number a row, in nats. */
  readonly values: Float64Array;
}

/** The sum of the terms for each of so many rows, in their order. */
export function sumOf(terms: readonly Term[], rows: number): Float64Array {
  const sum = new Float64Array(rows);
  for (const { values } of terms) for (let i = 0; i < rows; i++) sum[i] += values[i];
  return sum;
}

/** Whether a row's results are numbers; a density may be 0. */
export function isSound(point: Float64Array, terms: readonly Term[], i: number): boolean {
  for (const { values } of terms) {
    if (Number.isNaN(values[i]) || values[i] === Number.POSITIVE_INFINITY) return false;
  }
  for (let j = 0; j < point.length; j++) if (!Number.isFinite(point[j])) return false;
  return true;
}

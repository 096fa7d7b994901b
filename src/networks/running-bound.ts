/**
 * A certified bound on the norm of a weight that holds on while the weight changes (Weyl's inequality):
 *   |W| <= |W'| + |W - W'| <= (certified bound of W') + reach |W - W'|_F,
 * where the norm of a linear map is at most `reach` times the Frobenius norm of its weight. So training need not certify
 * every weight at every step. What is remembered only saves work: it decides nothing that a new certificate would not.
 */
import type { Parameter } from "../model/parameters.js";

/**
 * How much may be spent on an upper bound.
 * `known`: next to nothing; it may be Infinity.
 * `cheap`: little. For convolutions it trusts the power iteration, and is no proof.
 * `certain`: a proof.
 * `tight`: the least proven bound that there is.
 */
export type Effort = "known" | "cheap" | "certain" | "tight";

export class RunningBound {
  readonly #weight: Parameter;
  readonly #reach: number;
  #at: Float64Array | null = null;
  #bound = Number.POSITIVE_INFINITY;
  /** What was certified of the weight at `#at`. */
  readonly #certified = new Map<Effort, number>();

  constructor(weight: Parameter, reach: number) {
    this.#weight = weight;
    this.#reach = reach;
  }

  /** The bound on the weight as it is now; Infinity where none was certified before. */
  known(): number {
    return this.#at ? this.#bound + this.#reach * distance(this.#weight.values, this.#at) : this.#bound;
  }

  /**
   * The bound of `certify`, which is asked only if the weight has not been certified as it is with this effort: what comes
   * back does not depend on what was asked before.
   */
  certified(effort: Effort, certify: () => number): number {
    const { values } = this.#weight;
    const same = this.#at?.every((x, i) => x === values[i]) ?? false;
    const done = same ? this.#certified.get(effort) : undefined;
    if (done !== undefined) return done;
    const bound = certify();
    if (!same) this.#certified.clear();
    this.#certified.set(effort, bound);
    this.#bound = same ? Math.min(this.#bound, bound) : bound;
    if (!this.#at) this.#at = values.slice();
    else if (!same) this.#at.set(values);
    return bound;
  }
}

/** |a - b|, no less for its rounding. */
function distance(a: Float64Array, b: Float64Array): number {
  // Four sums: a single one would wait for every addition before the next.
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 3 < a.length; i += 4) {
    const d0 = a[i] - b[i];
    const d1 = a[i + 1] - b[i + 1];
    const d2 = a[i + 2] - b[i + 2];
    const d3 = a[i + 3] - b[i + 3];
    s0 += d0 * d0;
    s1 += d1 * d1;
    s2 += d2 * d2;
    s3 += d3 * d3;
  }
  for (; i < a.length; i++) s0 += (a[i] - b[i]) ** 2;
  return Math.sqrt(s0 + s1 + s2 + s3) * (1 + a.length * Number.EPSILON);
}

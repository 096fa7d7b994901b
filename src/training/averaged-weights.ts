/**
 * An exponential moving average of the weights (Polyak and Juditsky 1992; the decay's warm-up as usual):
 *   a += (1 - d) (theta - a) after step t = 1, 2, ..., with d = min(decay, t / (t + 9)).
 * It takes the noise of the last steps out of a model, as a smaller learning rate would, without slower learning.
 */

import { check } from "../errors.js";
import type { Parameters } from "../model/parameters.js";

export class AveragedWeights {
  /** In the order of `parameters.values`. */
  readonly values: Float64Array;
  readonly #parameters: Parameters;
  readonly #decay: number;

  constructor(parameters: Parameters, decay: number) {
    this.values = parameters.values.slice();
    this.#parameters = parameters;
    this.#decay = decay;
  }

  /** Takes the weights in after so many steps. */
  update(steps: number): void {
    const share = 1 - Math.min(this.#decay, steps / (steps + 9));
    const current = this.#parameters.values;
    const { values } = this;
    for (let i = 0; i < current.length; i++) values[i] += share * (current[i] - values[i]);
  }

  /** Goes on from a checkpoint's average; throws an `input` error if it is missing or that of another flow. */
  restore(values: Float64Array | undefined): void {
    check(
      values?.length === this.values.length,
      "input",
      "the checkpoint's averaged weights are missing or those of another flow",
    );
    this.values.set(values);
  }

  /** Replaces the weights of the flow by their average. */
  apply(): void {
    this.#parameters.values.set(this.values);
  }
}

/**
 * Adam (Kingma and Ba 2015) with L2 regularisation added to the gradient, as PyTorch's `Adam(weight_decay)`:
 *   g += l2 theta, m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2,
 *   theta -= rate (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon),
 * with t counted from the first step that changes the parameter (`learnFrom`).
 */
import type { Parameters } from "../model/parameters.js";
import { resolved } from "../options.js";
import { type Training, type TrainingOptions, trainingSchema } from "./options.js";

const schema = trainingSchema.pick({ l2: true, betas: true, epsilon: true });

export class Adam {
  /** First and second moments, in the order of `parameters.values`. */
  readonly first: Float64Array;
  readonly second: Float64Array;
  readonly #parameters: Parameters;
  readonly #options: Pick<Training, "l2" | "betas" | "epsilon">;

  constructor(
    parameters: Parameters,
    { l2, betas, epsilon }: Pick<TrainingOptions, "l2" | "betas" | "epsilon">,
  ) {
    this.#parameters = parameters;
    this.#options = resolved(schema, { l2, betas, epsilon }, "Adam");
    this.first = new Float64Array(parameters.values.length);
    this.second = new Float64Array(parameters.values.length);
  }

  /** One update of all parameters that are learned at this step (counted from 0), from their gradients. */
  update(step: number, rate: number): void {
    // Locals: inside the loop, looking up a field costs as much as the arithmetic.
    const { first, second } = this;
    const { l2, betas, epsilon } = this.#options;
    const [beta1, beta2] = betas;
    let offset = 0;
    for (const { learned, learnFrom, values, gradient } of this.#parameters.list) {
      if (!learned) continue;
      const t = step - learnFrom + 1;
      if (t > 0) {
        const size = rate / (1 - beta1 ** t);
        const correction = 1 / Math.sqrt(1 - beta2 ** t);
        for (let i = 0, j = offset; i < values.length; i++, j++) {
          const g = gradient[i] + l2 * values[i];
          const m = first[j] + (1 - beta1) * (g - first[j]);
          const v = second[j] + (1 - beta2) * (g * g - second[j]);
          first[j] = m;
          second[j] = v;
          values[i] -= (size * m) / (Math.sqrt(v) * correction + epsilon);
        }
      }
      offset += values.length;
    }
  }
}

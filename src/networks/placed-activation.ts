/** The activation at one place of a network, with the parameter that it may learn there. */
import type { Activation } from "../activations/activation.js";
import type { Matrix } from "../engine/engine.js";
import type { Parameter } from "../model/parameters.js";
import type { EffectiveWeights } from "./effective-weights.js";
import type { ActivationPlan } from "./plan.js";

export class PlacedActivation {
  /** Where backward passes add the gradient of its parameter. */
  readonly parameterBar: Matrix;
  readonly #learned: Activation["learned"];
  readonly #beta: Parameter | null;
  readonly #offset: number;

  constructor(
    { learned }: Activation,
    beta: Parameter | null,
    { offset }: ActivationPlan,
    weights: EffectiveWeights,
  ) {
    this.#learned = learned;
    this.#beta = beta;
    this.#offset = offset;
    this.parameterBar = weights.numberBar(offset);
  }

  /** The parameter of its formula; 0 where there is none. */
  get parameter(): number {
    return this.#beta && this.#learned ? this.#learned.link(this.#beta.values[0]) : 0;
  }

  /** Adds to what it learns the gradient that `EffectiveWeights.takeGradient` gave. */
  pullBack(bars: Float64Array): void {
    if (!this.#beta || !this.#learned) return;
    this.#beta.gradient[0] += this.#learned.linkDerivative(this.#beta.values[0]) * bars[this.#offset];
  }
}

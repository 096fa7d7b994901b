/**
 * The weights that a network computes with, as the engine holds them (normalised, the factors of the concatenation folded
 * in), and their gradients, which backward passes add up there.
 */
import { type Engine, type Matrix, matrix, type Tensor } from "../engine/engine.js";
import type { NetworkPlan } from "./plan.js";

export interface EffectiveLayer {
  readonly weight: Matrix;
  readonly bias: Matrix;
  /** Their gradients. */
  readonly weightBar: Matrix;
  readonly biasBar: Matrix;
}

export class EffectiveWeights {
  /** Those of each layer of the plan. */
  readonly layers: readonly EffectiveLayer[];
  readonly #engine: Engine;
  readonly #weights: Tensor;
  readonly #gradients: Tensor;

  constructor(engine: Engine, plan: NetworkPlan) {
    this.#engine = engine;
    this.#weights = engine.tensor(plan.size);
    this.#gradients = engine.tensor(plan.size);
    this.layers = plan.layers.map(({ rows, columns, taps, offset }) => {
      const fanIn = taps * columns;
      const weightOf = (tensor: Tensor) => matrix(tensor, rows, fanIn, offset);
      const biasOf = (tensor: Tensor) => matrix(tensor, rows, 1, offset + rows * fanIn);
      return {
        weight: weightOf(this.#weights),
        bias: biasOf(this.#weights),
        weightBar: weightOf(this.#gradients),
        biasBar: biasOf(this.#gradients),
      };
    });
  }

  /** The gradient of one number, by its place in the plan. */
  numberBar(offset: number): Matrix {
    return matrix(this.#gradients, 1, 1, offset);
  }

  /** Sends all of them, each at its place in the plan. */
  write(numbers: Float64Array): void {
    this.#engine.write(this.#weights, numbers);
  }

  /** Moves the gradient of all of them to `out`: none is left behind. */
  async takeGradient(out: Float64Array): Promise<void> {
    await this.#engine.read(this.#gradients, out);
    this.#engine.fill(matrix(this.#gradients, 1, out.length), 0);
  }
}

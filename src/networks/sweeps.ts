/** The sweeps through a network's layers: evaluation, backward passes, and products with the transposed Jacobian. */
import type { Activation } from "../activations/activation.js";
import { type Engine, type Grid, lanesOf, type Matrix } from "../engine/engine.js";
import type { EffectiveLayer } from "./effective-weights.js";
import type { PlacedActivation } from "./placed-activation.js";
import type { LayerViews, Views } from "./workspace.js";

/** One step of an evaluation: a layer, or the pre-activation. */
export interface Step {
  /** None for the pre-activation. */
  readonly weights: EffectiveLayer | null;
  /** None for the stem and the closing layer. */
  readonly activation: PlacedActivation | null;
  /** The grid of a convolution; null for a matrix. */
  readonly grid: Grid | null;
  /** See `LayerPlan.addsToInputBar`. */
  readonly addsToInputBar: boolean;
}

export class Sweeps {
  readonly #engine: Engine;
  readonly #activation: Activation;
  readonly #steps: readonly Step[];

  /** `steps`: in the order of evaluation, as `Views.forward` has their matrices. */
  constructor(engine: Engine, activation: Activation, steps: readonly Step[]) {
    this.#engine = engine;
    this.#activation = activation;
    this.#steps = steps;
  }

  /** views.output = jet of G at the jet in views.input. */
  evaluate({ batch, forward }: Views): void {
    forward.forEach(({ input, pre, out }, i) => {
      const { weights, activation, grid } = this.#steps[i];
      if (weights && grid) this.#engine.convolution(pre, weights.weight, input, weights.bias, grid, batch);
      else if (weights) this.#engine.linear(pre, weights.weight, input, weights.bias, batch);
      if (!out) return;
      if (activation) this.#engine.pointwise(this.#activation, out, pre, batch, activation.parameter);
      else this.#engine.combine(out, 1, pre);
    });
  }

  /** See `LipschitzNetwork.backward`. */
  backward(views: Views): void {
    this.#sweep(views, views.backward);
  }

  /** See `LipschitzNetwork.backwardValues`. */
  backwardValues(views: Views, valueBar: Matrix): void {
    const { outputBarValues, outputBar2, preBarValues, preBar2 } = views;
    this.#engine.combine(outputBar2, 1, valueBar);
    this.#sweep(views, views.backwardValues);
    this.#engine.combine(outputBarValues, 1, outputBarValues, 1, outputBar2);
    this.#engine.combine(preBarValues, 1, preBarValues, 1, preBar2);
  }

  /** See `LipschitzNetwork.backwardValuesOnly`. */
  backwardValuesOnly(views: Views, valueBar: Matrix): void {
    this.#engine.combine(views.outputBar2, 1, valueBar);
    this.#sweep(views, views.backwardValues);
    this.#accumulate(views, views.backwardValues);
  }

  /** See `LipschitzNetwork.accumulate`. */
  accumulate(views: Views): void {
    this.#accumulate(views, views.backward);
  }

  /** See `LipschitzNetwork.linearise`. */
  linearise({ batch, forward }: Views): void {
    forward.forEach(({ pre, slopes }, i) => {
      const { activation } = this.#steps[i];
      if (!activation || !slopes) return;
      this.#engine.slopes(this.#activation, slopes, lanesOf(pre, 0, batch), activation.parameter);
    });
  }

  /** See `LipschitzNetwork.transposedProduct`. */
  transposedProduct(views: Views, valueBar: Matrix): void {
    this.#engine.combine(views.outputBar2, 1, valueBar);
    this.#throughLayers(views, views.backwardValues, ({ pre, slopes }, out) => {
      this.#engine.applySlopes(pre, slopes as Matrix, out);
    });
  }

  /** From the cotangents of the output to those of the input, and the gradients of the activations' parameters. */
  #sweep(views: Views, pass: readonly LayerViews[]): void {
    const { forward, batch } = views;
    this.#throughLayers(views, pass, ({ pre }, out, i, { parameter, parameterBar }) => {
      const at = forward[i].pre;
      this.#engine.pointwiseBackward(this.#activation, pre, out, at, batch, parameter, parameterBar);
    });
  }

  /** The transposes of all steps, last one first; `throughActivation` takes that of the i-th from its `out` to `pre`. */
  #throughLayers(
    { batch }: Views,
    pass: readonly LayerViews[],
    throughActivation: (views: LayerViews, out: Matrix, i: number, activation: PlacedActivation) => void,
  ): void {
    pass.forEach((views, n) => {
      const i = pass.length - 1 - n;
      const { input, pre, out } = views;
      const { weights, activation, grid, addsToInputBar } = this.#steps[i];
      if (out && activation) throughActivation(views, out, i, activation);
      else if (out) this.#engine.combine(pre, 1, out);
      if (weights && grid) {
        this.#engine.convolutionTransposed(input, weights.weight, pre, addsToInputBar, grid, batch);
      } else if (weights) this.#engine.linearTransposed(input, weights.weight, pre, addsToInputBar);
    });
  }

  #accumulate({ forward, batch }: Views, pass: readonly LayerViews[]): void {
    pass.forEach(({ pre }, n) => {
      const i = pass.length - 1 - n;
      const { weights, grid } = this.#steps[i];
      if (!weights) return;
      const { input } = forward[i];
      if (grid) this.#engine.convolutionOuter(weights.weightBar, pre, input, grid, batch);
      else this.#engine.outer(weights.weightBar, pre, input);
      this.#engine.rowSums(weights.biasBar, lanesOf(pre, 0, batch), null);
    });
  }
}

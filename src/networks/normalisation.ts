/**
 * From the weights that a network learns to those that it computes with: each divided by max(1, sigma / coeff), sigma its
 * spectral norm, and the factors of the dense concatenation folded into its columns; and the gradients back.
 */

import type { Certificate } from "./certificate.js";
import { Concatenation, type Etas, groupScales, groupScalesBackward } from "./concatenation.js";
import type { NetworkDeclaration } from "./declaration.js";
import type { EffectiveWeights } from "./effective-weights.js";
import type { NetworkParameters } from "./parameters.js";
import type { LayerPlan, NetworkPlan } from "./plan.js";

export class Normalisation {
  readonly #plan: NetworkPlan;
  readonly #parameters: NetworkParameters;
  readonly #declaration: NetworkDeclaration;
  readonly #certificate: Certificate;
  readonly #weights: EffectiveWeights;
  readonly #concatenation: Concatenation;
  /** Of each layer the norm that the weight is taken to have, and min(1, coeff / sigma), as they were last set. */
  readonly #sigmas: Float64Array;
  readonly #factors: Float64Array;
  /** Room for all numbers of the network, and for one a column of a layer. */
  readonly #numbers: Float64Array;
  readonly #columnScales: Float64Array;
  readonly #columnBars: Float64Array;
  /** Whether what was prepared is certified. */
  #certain = false;

  constructor(
    plan: NetworkPlan,
    parameters: NetworkParameters,
    declaration: NetworkDeclaration,
    certificate: Certificate,
    weights: EffectiveWeights,
  ) {
    this.#plan = plan;
    this.#parameters = parameters;
    this.#declaration = declaration;
    this.#certificate = certificate;
    this.#weights = weights;
    this.#concatenation = new Concatenation(parameters.kappa, declaration.lip);
    this.#sigmas = new Float64Array(plan.layers.length);
    this.#factors = new Float64Array(plan.layers.length).fill(1);
    this.#numbers = new Float64Array(plan.size);
    const widest = Math.max(...plan.layers.map(({ columns }) => columns));
    this.#columnScales = new Float64Array(widest);
    this.#columnBars = new Float64Array(widest);
  }

  /** At most `rounds` rounds of power iteration on every weight; at once where all are matrices. */
  async iterate(rounds: number): Promise<void> {
    const tolerance = this.#declaration.spectralTolerance ?? 0;
    for (const { norm } of this.#parameters.layers) {
      const pending = norm.iterate(rounds, tolerance);
      if (pending) await pending;
    }
  }

  /** See `LipschitzNetwork.prepare`. */
  prepare(): void {
    const etas = this.#concatenation.etas();
    for (const [l, { norm }] of this.#parameters.layers.entries()) this.#divideBy(l, norm.sigma());
    this.#certain = this.#declaration.limit === "estimated";
    if (!this.#certain && !this.#certificate.isContraction(etas, this.#factors, "known", "cheap", "certain"))
      this.#divideByBounds();
    this.#send(etas);
  }

  /** See `LipschitzNetwork.makeCertain`. */
  makeCertain(): void {
    if (this.#certain) return;
    this.#certain = true;
    const etas = this.#concatenation.etas();
    if (this.#certificate.isContraction(etas, this.#factors, "known", "certain")) return;
    this.#divideByBounds();
    this.#send(etas);
  }

  /** An upper bound on Lip(G) with the weights as they were sent; not a number where a weight is not finite. */
  bound(effort: "certain" | "tight"): number {
    return this.#certificate.bound(this.#concatenation.etas(), this.#factors, effort);
  }

  /** The norm that each layer's weight was last taken to have. */
  sigmas(): number[] {
    return [...this.#sigmas];
  }

  #divideBy(layer: number, sigma: number): void {
    const { coeff } = this.#declaration;
    this.#sigmas[layer] = sigma;
    this.#factors[layer] = sigma > coeff ? coeff / sigma : 1;
  }

  #divideByBounds(): void {
    for (const [l, { norm }] of this.#parameters.layers.entries()) this.#divideBy(l, norm.bound("certain"));
  }

  /** The concatenation's factor for every input column of a layer; valid until the next call. */
  #scalesOf({ columns, groups, index }: LayerPlan, scales: readonly number[][]): Float64Array {
    const out = this.#columnScales;
    const own = this.#parameters.kappa && index !== null ? scales[index] : null;
    if (!own) return out.fill(1);
    for (let c = 0; c < columns; c++) out[c] = own[groups[c]];
    return out;
  }

  #send(etas: Etas): void {
    const scales = groupScales(etas);
    const numbers = this.#numbers;
    for (const [l, layer] of this.#plan.layers.entries()) {
      const { rows, taps, columns, offset } = layer;
      const { weight, bias } = this.#parameters.layers[l];
      const { values } = weight;
      const factor = this.#factors[l];
      const columnScales = this.#scalesOf(layer, scales);
      for (let c = 0; c < columns; c++) columnScales[c] *= factor;
      for (let r = 0, i = 0; r < rows * taps; r++) {
        for (let c = 0; c < columns; c++, i++) numbers[offset + i] = columnScales[c] * values[i];
      }
      numbers.set(bias.values, offset + values.length);
    }
    this.#weights.write(numbers);
  }

  /** Adds the gradients of weights, biases and kappas that those of the effective weights come to. */
  pullBack(bars: Float64Array): void {
    const etas = this.#concatenation.etas();
    const scales = groupScales(etas);
    const scalesBar = scales.map((s) => s.map(() => 0));
    for (const [l, layer] of this.#plan.layers.entries()) {
      const { rows, taps, columns, index, groups, offset } = layer;
      const { weight, bias, norm } = this.#parameters.layers[l];
      const { values, gradient } = weight;
      const factor = this.#factors[l];
      const columnScales = this.#scalesOf(layer, scales);
      const columnBars = this.#columnBars.fill(0);
      for (let r = 0, i = 0; r < rows * taps; r++) {
        for (let c = 0; c < columns; c++, i++) {
          const bar = bars[offset + i];
          columnBars[c] += bar * values[i];
          gradient[i] += factor * columnScales[c] * bar;
        }
      }
      let along = 0; // <dLoss/d(W factor), W>
      const groupBars = this.#parameters.kappa && index !== null ? scalesBar[index] : null;
      for (let c = 0; c < columns; c++) {
        along += columnScales[c] * columnBars[c];
        if (groupBars) groupBars[groups[c]] += factor * columnBars[c];
      }
      // d(coeff / sigma) = -(factor / sigma) dsigma.
      if (factor < 1) norm.addGradient((-factor / this.#sigmas[l]) * along);
      const end = offset + values.length;
      for (let r = 0; r < rows; r++) bias.gradient[r] += bars[end + r];
    }
    this.#concatenation.addGradient(groupScalesBackward(etas, scales, scalesBar));
  }
}

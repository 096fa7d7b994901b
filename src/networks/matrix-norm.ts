/** The spectral norm of a matrix. */
import type { Parameter, ParameterMaker } from "../model/parameters.js";
import type { Random } from "../model/random.js";
import { gramNormBound, spectralNormBound } from "./matrix-norm-bound.js";
import { bilinear, powerIteration } from "./power-iteration.js";
import { type Effort, RunningBound } from "./running-bound.js";
import type { SpectralNorm } from "./spectral-norm.js";

export class MatrixNorm implements SpectralNorm {
  readonly #weight: Parameter;
  readonly #left: Parameter;
  readonly #right: Parameter;
  readonly #running: RunningBound;

  /** `weight` is [row][column]. sigma is 0, and limits nothing, until `iterate`. */
  constructor(parameters: ParameterMaker, name: string, layer: number, weight: Parameter, random: Random) {
    const [rows, columns] = weight.shape;
    this.#weight = weight;
    this.#running = new RunningBound(weight, 1);
    this.#left = parameters.state(
      `${name}.left.${layer}`,
      [rows],
      Float64Array.from({ length: rows }, () => random.normal()),
    );
    this.#right = parameters.state(`${name}.right.${layer}`, [columns], new Float64Array(columns));
  }

  iterate(rounds: number, tolerance: number): undefined {
    const [rows, columns] = this.#weight.shape;
    const round = (count: number) =>
      powerIteration(this.#weight.values, rows, columns, this.#left.values, this.#right.values, count);
    if (tolerance === 0) {
      round(rounds);
      return;
    }
    for (let n = 0, before = Number.NaN; n < rounds; n++) {
      round(1);
      const sigma = this.sigma();
      if (Math.abs(sigma - before) <= tolerance * sigma) return;
      before = sigma;
    }
  }

  sigma(): number {
    return bilinear(this.#weight.values, this.#left.values, this.#right.values);
  }

  /** dsigma/dW = u v^T. */
  addGradient(sigmaBar: number): void {
    const { gradient } = this.#weight;
    const [left, right] = [this.#left.values, this.#right.values];
    for (let r = 0, i = 0; r < left.length; r++) {
      const rowBar = sigmaBar * left[r];
      for (let c = 0; c < right.length; c++, i++) gradient[i] += rowBar * right[c];
    }
  }

  bound(effort: Effort): number {
    if (effort === "known") return this.#running.known();
    const [rows, columns] = this.#weight.shape;
    const { values } = this.#weight;
    if (effort === "cheap")
      return this.#running.certified("cheap", () => gramNormBound(values, rows, columns));
    return this.#running.certified("tight", () => spectralNormBound(values, rows, columns));
  }
}

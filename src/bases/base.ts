import type { Matrix } from "../engine/engine.js";
import type { GradientSource } from "../model/gradients.js";
import type { Table } from "../table.js";

/**
 * The base distribution of a flow: the density of its latents z. Matrices have one row a dimension and one lane a sample;
 * log-densities one row. Its parameters, if it has any, are learned with the flow's.
 */
export interface Base extends GradientSource {
  /** The name of its kind, as in a declaration. */
  readonly kind: string;
  /** logDensity += log of the density at z, in nats. */
  addLogDensity(logDensity: Matrix, z: Matrix): Promise<void>;
  /**
   * Given dLoss/dlogDensity of the last `addLogDensity`, writes dLoss/dz to zBar and leaves the parameters' gradients to be
   * collected. Samples whose cotangent is 0 count for nothing.
   */
  backward(zBar: Matrix, z: Matrix, logDensityBar: Matrix): Promise<void>;
  /** `count` draws, a row each; each depends on the seed and its own number only. */
  sample(count: number, seed: number): Table;
  /** Takes the parameters as they are now; before the first pass after every change of them. */
  prepare(): void;
}

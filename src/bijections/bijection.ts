import type { Matrix } from "../engine/engine.js";
import type { PassKey } from "../logdet/probes.js";
import type { GradientSource } from "../model/gradients.js";
import type { SolverCounts } from "../solvers/newton.js";

/**
 * An invertible map F of R^dim. Matrices have one row a dimension and one lane a sample, or of images one row a
 * channel and the lanes [y][x][sample]; log-determinants (one row, one lane a sample) are added to. Calls must not
 * overlap: a bijection has one memory. `forward` remembers what `backward` needs, until the next call of either
 * direction.
 * With null for the log-determinant, and then for its cotangent as well, only what the values need is computed.
 * `pass` says which samples these are, and whether they are for training: what is drawn or solved may depend on it.
 */
export interface Bijection extends GradientSource {
  /** The name of its kind, as in a declaration. */
  readonly kind: string;
  /** out = F(input); logDet += log|det dF/dx|. */
  forward(out: Matrix, input: Matrix, logDet: Matrix | null, pass: PassKey): Promise<void>;
  /** out = F^-1(input); logDet += log|det dF^-1/dy|. */
  inverse(out: Matrix, input: Matrix, logDet: Matrix | null, pass: PassKey): Promise<void>;
  /**
   * Given dLoss/dF(x) and dLoss/dlogDet of the last `forward`, writes dLoss/dx to inputBar and leaves
   * the parameters' gradients to be collected. outputBar may be overwritten.
   */
  backward(inputBar: Matrix, outputBar: Matrix, logDetBar: Matrix | null, pass: PassKey): Promise<void>;
  /** Sends the parameters to the engine; before the first pass after every change of them. */
  prepare(): void;
  /** Rounds of power iteration, where there are weights to normalise; `prepare` comes after. */
  iterate?(rounds?: number): Promise<void>;
  /** As `iterate`, once for the weights that it starts with: as many rounds as their norms take to converge. */
  startNorms?(): Promise<void>;
  /** Whether it still waits for `initialise`. */
  readonly uninitialised?: boolean;
  /**
   * Starts parameters that depend on the data, once in a model's life, from the mean and the mean squared deviation of every
   * row of its input over so many samples of the first batch.
   */
  initialise?(mean: ArrayLike<number>, variance: ArrayLike<number>, samples: number): void;
  /** Makes sure that what `prepare` has sent is invertible for certain, once after every `prepare`. */
  makeCertain?(): void;
  /** A certified upper bound on the Lipschitz constant of the network inside, where there is one. */
  lipschitzBound?(effort?: "certain" | "tight"): number;
  /** The least and the largest slope that it can have in one dimension, by its certified bound. */
  slopes?(): readonly [least: number, largest: number];
  /** What its solves have taken, where it has any. */
  readonly counts?: SolverCounts;
}

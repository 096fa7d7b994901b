/**
 * Spectral normalisation: W / max(1, sigma / coeff), sigma the largest singular value of W, followed by power
 * iteration (Miyato et al. 2018; Gouk et al. 2021). With u and v held constant, sigma = u^T W v and
 * dsigma/dW = u v^T.
 */
import type { Effort } from "./running-bound.js";

/** The spectral norm of one weight: power iteration from below, and a certificate from above. */
export interface SpectralNorm {
  /**
   * At most `rounds` rounds of power iteration, fewer where sigma changes by less than the share `tolerance` in one.
   * A promise where the engine is asked; otherwise it has happened on return.
   */
  iterate(rounds: number, tolerance: number): Promise<void> | undefined;
  /** sigma = u^T W v, for the weight as it is now and the vectors as they were left. */
  sigma(): number;
  /** Adds sigmaBar dsigma/dW to the weight's gradient. */
  addGradient(sigmaBar: number): void;
  /** An upper bound on the norm of the weight. */
  bound(effort: Effort): number;
}

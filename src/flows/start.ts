/**
 * The fixed start of a chain, computed on the host in float64: from the numbers of the data to those that bijections
 * like.
 *   standardisation: y = (x - mean) / deviation, a column at a time
 *   logit (Dinh et al. 2017): p = alpha + (1 - 2 alpha) x / levels, y = ln p - ln(1 - p), for pixels x in [0, levels]
 *
 * A density has its support where y is a number of at most FARTHEST: for pixels that is 0 < p < 1, which reaches a
 * little, alpha levels / (1 - 2 alpha), beyond [0, levels]. Elsewhere log p is -Infinity.
 */

/** Beyond this the squares of latents leave float32, and densities are below e^-1e35. */
export const FARTHEST = 1e18;

/** Whether y, as a start gives it, belongs to the support. NaN, which a logit gives outside of its domain, does not. */
export const supported = (y: number) => Math.abs(y) <= FARTHEST;

export interface Start {
  /** y of x in that column; not finite or NaN outside of the support. */
  forward(x: number, column: number): number;
  /** x of y. */
  inverse(y: number, column: number): number;
  /** ln dy/dx at y. */
  logSlope(y: number, column: number): number;
  /** The derivative of `logSlope` by y. */
  logSlopeRate(y: number): number;
}

export interface Standardisation {
  mean: number[];
  deviation: number[];
}

export interface PixelRange {
  /** Pixels are 0 to levels - 1, and noise up to 1 is added to them. */
  levels: number;
  /** How far from 0 and 1 the logit keeps. */
  alpha: number;
}

export function standardise({ mean, deviation }: Standardisation): Start {
  return {
    forward: (x, j) => (x - mean[j]) / deviation[j],
    inverse: (y, j) => y * deviation[j] + mean[j],
    logSlope: (_, j) => -Math.log(deviation[j]),
    logSlopeRate: () => 0,
  };
}

export function logit({ levels, alpha }: PixelRange): Start {
  const share = 1 - 2 * alpha;
  return {
    forward(x) {
      const p = alpha + (share * x) / levels;
      return Math.log(p) - Math.log1p(-p);
    },
    inverse: (y) => (levels * (1 / (1 + Math.exp(-y)) - alpha)) / share,
    // dy/dx = share / levels / (p (1 - p)), and p (1 - p) = e^-|y| / (1 + e^-|y|)^2.
    logSlope(y) {
      const size = Math.abs(y);
      return Math.log(share / levels) + size + 2 * Math.log1p(Math.exp(-size));
    },
    logSlopeRate: (y) => Math.tanh(y / 2),
  };
}

/**
 * The power series of plus log det(I + J) + minus log det(I - J), |J| < 1 (math.md, "Two regimes"):
 *
 *   log det(I + J) = sum over k >= 1 of (-1)^(k+1) / k tr J^k,   log det(I - J) = - sum over k >= 1 of 1 / k tr J^k,
 *
 * tr J^k = E[v^T J^k v] for a probe v with E[v v^T] = I. The gradient for J is E[s v^T] with the Neumann series
 *
 *   s = plus (I + J)^-T v - minus (I - J)^-T v = sum over k >= 0 of (plus (-1)^k - minus) (J^T)^k v.
 *
 * A monotone block has plus = -1 and minus = 1: even terms of the first and odd ones of the second cancel.
 */

/** The factor of v^T J^k v in the log-determinant, k >= 1. */
export function traceCoefficient(plus: number, minus: number, k: number): number {
  return ((k % 2 === 0 ? -plus : plus) - minus) / k;
}

/** The factor of (J^T)^k v in its gradient, k >= 0. */
export function neumannCoefficient(plus: number, minus: number, k: number): number {
  return (k % 2 === 0 ? plus : -plus) - minus;
}

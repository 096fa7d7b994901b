/**
 * Russian roulette (Kahn 1955; for flows: Chen et al. 2019): the sum over k of a_k is estimated without bias by
 *   sum over k <= N of a_k / P(N >= k),  N random.
 * The first `exact` terms are always there (P = 1); beyond them N - exact follows
 *   geometric: P(N' >= k) = (1 - rate)^(k - 1), k = 1, 2, ...
 *   poisson:   P(N' >= k) = 1 - sum over i < k of e^-rate rate^i / i!
 */
import type { Random } from "../model/random.js";

export type Law = "geometric" | "poisson";

export interface Roulette {
  readonly law: Law;
  /** The mean of the Poisson law, or the geometric law's chance to stop after a term. */
  readonly rate: number;
  /** Terms that are always computed. */
  readonly exact: number;
}

/** P(N >= k). */
export function survival({ law, rate, exact }: Roulette, k: number): number {
  const beyond = k - exact;
  if (beyond <= 0) return 1;
  if (law === "geometric") return (1 - rate) ** (beyond - 1);
  let below = 0;
  let probability = Math.exp(-rate);
  for (let i = 0; i < beyond; i++) {
    below += probability;
    probability *= rate / (i + 1);
  }
  return 1 - below;
}

/** N, by inversion of its law with one uniform number. */
export function drawTerms(roulette: Roulette, random: Random): number {
  const u = random.uniform();
  let n = roulette.exact;
  if (roulette.law === "geometric") {
    // P(N' >= j) > u as long as j - 1 < ln u / ln(1 - rate).
    return n + Math.max(1, Math.ceil(Math.log(Math.max(u, Number.MIN_VALUE)) / Math.log1p(-roulette.rate)));
  }
  // P(N >= n + 1) > u as long as N > n.
  while (n < roulette.exact + 1000 && survival(roulette, n + 1) > u) n++;
  return n;
}

/** 1 / P(N >= k) for k = 0 .. n. */
export function weights(roulette: Roulette, n: number): Float64Array {
  return Float64Array.from({ length: n + 1 }, (_, k) => 1 / survival(roulette, k));
}

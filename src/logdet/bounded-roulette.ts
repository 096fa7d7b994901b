/**
 * Russian roulette whose deviation is bounded, whatever the Jacobian (docs/math.md, "Russian roulette with bounded
 * variance"). Where |J| <= L the k-th term of a series is at most b_k = |c_k| L^k a dimension, c_k its coefficient, and
 *   Var <= sum over k, l of b_k b_l (1 / P(N >= min(k, l)) - 1),
 * with equality for J = L I or J = -L I and probes of signs. A Poisson law makes that infinite for every L > 0, a
 * geometric one with P(N >= n + j) = q^(j - 1) finite if L^2 < q. Here q = L^1.2, which costs the fewest terms within a few
 * per cent, and n is the least number of exact terms that brings the bound below a tolerance.
 */
import { check } from "../errors.js";
import { type Roulette, survival } from "./roulette.js";
import { traceCoefficient } from "./series.js";

/** The log-determinant plus log det(I + J) + minus log det(I - J) of a network with |J| <= lipschitz. */
export interface BoundedSeries {
  readonly lipschitz: number;
  readonly plus: number;
  readonly minus: number;
}

/** Nats a dimension that roulette may make an estimate of a whole flow deviate by: a bound on the standard deviation. */
export const ROULETTE_TOLERANCE = 0.01;

/** The most exact terms; from a bound of about 0.997 on the deviation may be larger than it should. */
export const MOST_EXACT_TERMS = 1000;

const EXPONENT = 1.2;
/** Below it a series is as good as nothing. */
const LEAST = 1e-3;
/** Orders of e that terms fall by until they are left out of the bound. */
const NEGLIGIBLE = 40;

/**
 * An upper bound on the standard deviation that roulette gives an estimate of the series, in nats a dimension, for probes
 * with |v|^2 = dimension.
 */
export function rouletteDeviation({ lipschitz, plus, minus }: BoundedSeries, roulette: Roulette): number {
  const { exact } = roulette;
  const bound = Math.max(lipschitz, LEAST);
  if (roulette.law === "poisson" || bound ** 2 >= 1 - roulette.rate) return Number.POSITIVE_INFINITY;
  const last = exact + Math.ceil(NEGLIGIBLE / -Math.log(bound ** 2 / (1 - roulette.rate)));
  let variance = 0;
  let beyond = 0;
  for (let k = last; k > exact; k--) {
    const term = Math.abs(traceCoefficient(plus, minus, k)) * bound ** k;
    variance += (1 / survival(roulette, k) - 1) * term * (term + 2 * beyond);
    beyond += term;
  }
  // Chances that vanish in float64 leave it open.
  return Number.isNaN(variance) ? Number.POSITIVE_INFINITY : Math.sqrt(variance);
}

/**
 * The roulette with at least so many exact terms whose deviation is at most `tolerance` nats a dimension. Throws
 * `internal` where the network is no contraction: its series does not converge then.
 */
export function boundedRoulette(series: BoundedSeries, tolerance: number, least: number): Roulette {
  check(series.lipschitz < 1, "internal", "only the series of a contraction has a bounded roulette");
  const rate = 1 - Math.max(series.lipschitz, LEAST) ** EXPONENT;
  const at = (exact: number): Roulette => ({ law: "geometric", rate, exact });
  const enough = (exact: number) => rouletteDeviation(series, at(exact)) <= tolerance;
  let low = least - 1;
  let high = Math.max(least, MOST_EXACT_TERMS);
  if (!enough(high)) return at(high);
  // The deviation falls with the number of exact terms.
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (enough(middle)) high = middle;
    else low = middle;
  }
  return at(high);
}

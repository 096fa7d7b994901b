/**
 * ln Gamma(x) and its derivative for x > 0, by Stirling's series from x = 10 on and Gamma(x + 1) = x Gamma(x) below
 * (Abramowitz and Stegun 6.1.40, 6.3.18; relative errors of some 1e-15). And draws of the gamma distribution.
 */
import type { Random } from "../model/random.js";

const HALF_LOG_TWO_PI = 0.5 * Math.log(2 * Math.PI);
/** From here on the series has float64's precision. */
const LARGE = 10;

/** Bernoulli's numbers B_2, B_4, ... over 2n (2n - 1). */
const LOG_GAMMA = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156];
/** The same over 2n. */
const DIGAMMA = [1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12];

/** The sum of coefficients[n] x^-2n. */
function series(coefficients: readonly number[], x: number): number {
  const square = 1 / (x * x);
  return coefficients.reduceRight((sum, c) => sum * square + c, 0);
}

export function logGamma(x: number): number {
  let product = 1;
  let y = x;
  for (; y < LARGE; y++) product *= y;
  return (y - 0.5) * Math.log(y) - y + HALF_LOG_TWO_PI + series(LOG_GAMMA, y) / y - Math.log(product);
}

export function digamma(x: number): number {
  let sum = 0;
  let y = x;
  for (; y < LARGE; y++) sum += 1 / y;
  return Math.log(y) - 0.5 / y - series(DIGAMMA, y) / (y * y) - sum;
}

/** A draw of the gamma distribution of that shape and scale 1 (Marsaglia and Tsang 2000). */
export function drawGamma(shape: number, random: Random): number {
  if (shape < 1) return drawGamma(shape + 1, random) * random.uniform() ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = random.normal();
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(random.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

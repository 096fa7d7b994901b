import { EXTENT, type ToyDensity } from "./toy-density.js";

const ARMS = 5;
const ARM_ANGLE = (2 * Math.PI) / ARMS;
const MEAN = 1;
const RADIAL = 0.3;
const TANGENTIAL = 0.1;
const TWIST = 0.25;
const SCALE = 2;

/** Beyond this radius of the features log p is below -240, and taken to be -Infinity. */
const LARGEST_RADIUS = 8;

/** Intervals of the circle in which roots are looked for. */
const INTERVALS = 256;
const cosines = Float64Array.from({ length: INTERVALS + 1 }, (_, i) => Math.cos(theta(i)));

function theta(i: number): number {
  return Math.PI * ((2 * i) / INTERVALS - 1);
}

/** The angle, of arm 0, to which the feature vector of radius r and angle t is turned. */
function turned(r: number, t: number, cosine = Math.cos(t)): number {
  return t + TWIST * Math.exp(r * cosine);
}

/** The t in [a, b] at which `turned(r, t)` is `target`, which lies between its values at a and b. */
function solve(r: number, target: number, a: number, b: number, rising: boolean): number {
  let low = a;
  let high = b;
  for (let step = 0; step < 45; step++) {
    const middle = (low + high) / 2;
    if (turned(r, middle) < target === rising) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * log p(x, y) by change of variables. The features f = r (cos t, sin t), which are normal, are turned by
 * a = 2 pi k / 5 + 0.25 exp(f0) and doubled; turning keeps r and has the Jacobian determinant
 * 1 - 0.25 exp(f0) f1. So p = 1 / (5 * 4) * the sum of p(f) / |1 - 0.25 exp(f0) f1| over all f that arrive
 * at (x, y): the roots t of t + 0.25 exp(r cos t) = angle of (x, y), modulo 2 pi / 5 for the five arms.
 */
function logDensity(x: number, y: number): number {
  const r = Math.hypot(x, y) / SCALE;
  if (r > LARGEST_RADIUS) return Number.NEGATIVE_INFINITY;
  const angle = Math.atan2(y, x);
  let shift = Number.NEGATIVE_INFINITY;
  let sum = 0;
  let end = turned(r, theta(0), cosines[0]);
  for (let i = 0; i < INTERVALS; i++) {
    const start = end;
    end = turned(r, theta(i + 1), cosines[i + 1]);
    const last = Math.floor((Math.max(start, end) - angle) / ARM_ANGLE);
    for (let m = last; angle + m * ARM_ANGLE > Math.min(start, end); m--) {
      const t = solve(r, angle + m * ARM_ANGLE, theta(i), theta(i + 1), end > start);
      const f0 = r * Math.cos(t);
      const f1 = r * Math.sin(t);
      const exponent = -0.5 * (((f0 - MEAN) / RADIAL) ** 2 + (f1 / TANGENTIAL) ** 2);
      if (exponent > shift) {
        sum *= Math.exp(shift - exponent);
        shift = exponent;
      }
      sum += Math.exp(exponent - shift) / Math.abs(1 - TWIST * Math.exp(f0) * f1);
    }
  }
  return shift + Math.log(sum / (ARMS * SCALE * SCALE * 2 * Math.PI * RADIAL * TANGENTIAL));
}

/** Five twisted arms: (1 + 0.3 N, 0.1 N') turned by 2 pi k / 5 + 0.25 exp(1 + 0.3 N), times 2. */
export const pinwheel: ToyDensity = {
  name: "pinwheel",
  // -p log p summed over [-6, 6]^2 at steps of 0.02 and 0.0125: equal to six digits.
  entropy: 2.317788,
  extent: EXTENT,
  sample(random, out, offset) {
    const f0 = MEAN + RADIAL * random.normal();
    const f1 = TANGENTIAL * random.normal();
    const angle = ARM_ANGLE * random.integer(ARMS) + TWIST * Math.exp(f0);
    out[offset] = SCALE * (f0 * Math.cos(angle) - f1 * Math.sin(angle));
    out[offset + 1] = SCALE * (f0 * Math.sin(angle) + f1 * Math.cos(angle));
  },
  logDensity,
};

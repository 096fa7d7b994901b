/** Networks in one dimension whose blocks have slopes worth seeing: random ones, and ones trained for an end of the range. */
import type { Cotangents, LipschitzMapOptions } from "./lipschitz-map.js";

/** The networks that are trained for the ends of the range are so in this distance from 0. */
const NEAR = 0.6;
/** What a network is trained for: steep where this is positive, flat where it is negative. */
const AIMS = {
  steepest: (x: number) => (Math.abs(x) < NEAR ? 1 : 0),
  flattest: (x: number) => (Math.abs(x) < NEAR ? -1 : 0),
  alternating: (x: number) => (Math.cos((Math.PI * x) / 1.5) > 0 ? 1 : -1),
} as const;
export type Aim = keyof typeof AIMS;
export const aims = Object.keys(AIMS) as readonly Aim[];

/** Adam's step size for trained networks. */
export const RATE = 0.02;

const ACTIVATIONS = ["CPila", "CLipSwish", "CReLU"];
const architecture = { dim: 1, width: 16 } as const;
/** Of random networks: deeper ones are nearly constant. */
const RANDOM_DEPTHS = [1, 2];
const TRAINED_DEPTH = 3;
/** Large weights, which their limits bind. */
const RANDOM_SCALE = 3;

/** The make of the n-th random network. */
export function drawn(n: number, lipschitz: number, capacity: number): LipschitzMapOptions {
  return {
    ...architecture,
    lipschitz,
    capacity,
    depth: RANDOM_DEPTHS[n % RANDOM_DEPTHS.length],
    activation: ACTIVATIONS[n % ACTIVATIONS.length],
    scale: RANDOM_SCALE,
  };
}

/** The make of a network that is trained. */
export function trainedFor(aim: Aim, lipschitz: number, capacity: number): LipschitzMapOptions {
  // Piecewise linear networks hold a slope at the end of its range; smooth ones draw better curves.
  const activation = aim === "alternating" ? "CPila" : "CReLU";
  return { ...architecture, lipschitz, capacity, depth: TRAINED_DEPTH, activation, scale: 1 };
}

/** What pulls the slopes at the points x there: in one dimension the log-determinant is the logarithm of the slope. */
export function pull(aim: Aim, x: readonly number[]): Cotangents {
  return { logDet: Float64Array.from(x, (value) => -AIMS[aim](value) / x.length) };
}

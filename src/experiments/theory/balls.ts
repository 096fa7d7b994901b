/**
 * The balls that hold q = F(x1) - F(x2) where p = x1 - x2 and Lip(G) = L:
 *   residual           |q - p| <= L |p|,
 *   inverse residual   |p - q| <= L |q|,
 *   monotone           |p - q| <= L |p + q|.
 */
import type { Formulation } from "../../flows/monotone-flow.js";

export type Point = readonly [number, number];

export const minus = (a: Point, b: Point): Point => [a[0] - b[0], a[1] - b[1]];
export const plus = (a: Point, b: Point): Point => [a[0] + b[0], a[1] + b[1]];
export const norm = (a: Point) => Math.hypot(...a);

/** The least L with which a formulation could carry p to q; no invertible block can where it is 1 or more. */
export const lipschitzNeeded: Record<Formulation, (p: Point, q: Point) => number> = {
  residual: (p, q) => norm(minus(q, p)) / norm(p),
  "inverse-residual": (p, q) => norm(minus(q, p)) / norm(q),
  monotone: (p, q) => norm(minus(q, p)) / norm(plus(q, p)),
};

/** Centre (a multiple of p) and radius (in units of |p|) of each ball, for 0 <= L < 1. */
export const balls: Record<Formulation, (L: number) => { centre: number; radius: number }> = {
  residual: (L) => ({ centre: 1, radius: L }),
  "inverse-residual": (L) => ({ centre: 1 / (1 - L * L), radius: L / (1 - L * L) }),
  monotone: (L) => ({ centre: (1 + L * L) / (1 - L * L), radius: (2 * L) / (1 - L * L) }),
};

/** How far q is outside the ball of a formulation; 0 inside. */
export function distanceOutside(formulation: Formulation, L: number, p: Point, q: Point): number {
  const { centre, radius } = balls[formulation](L);
  return Math.max(0, norm(minus(q, [centre * p[0], centre * p[1]])) - radius * norm(p));
}

/** Networks optimised for where they carry one pair of points: q = F(p/2) - F(-p/2). */
import { Table } from "../../table.js";
import type { Point } from "./balls.js";
import type { Cotangents, LipschitzMapOptions, Mapped } from "./lipschitz-map.js";

/** Adam's step size. */
export const RATE = 0.02;

/** Piecewise linear networks, which can lose nothing between two points. */
export const optimisable = (lipschitz: number): LipschitzMapOptions => ({
  dim: 2,
  lipschitz,
  depth: 2,
  width: 16,
  activation: "CReLU",
  scale: 1,
  capacity: 2,
});

/** p/2 and -p/2. */
export const pairOf = (p: Point): Table =>
  Table.from([
    [p[0] / 2, p[1] / 2],
    [-p[0] / 2, -p[1] / 2],
  ]);

/** q of the first two rows. */
export const difference = ({ out }: Mapped): Point => [
  out.at(0, 0) - out.at(1, 0),
  out.at(0, 1) - out.at(1, 1),
];

/** The cotangents of both points, given that of q. */
export const differenceBars = ([a, b]: Point): Cotangents => ({ output: Float64Array.of(a, b, -a, -b) });

import type { Random } from "../../model/random.js";

/** A two-dimensional distribution that can be sampled and whose density is known. */
export interface ToyDensity {
  /** As `toyDensity` knows it. */
  readonly name: string;
  /** Differential entropy in nats: the floor of the test loss. */
  readonly entropy: number;
  /** [xmin, xmax, ymin, ymax] that pictures show: a square region holding practically all the mass. */
  readonly extent: readonly [number, number, number, number];
  /** Draws one point into out[offset], out[offset + 1]. */
  sample(random: Random, out: Float64Array, offset: number): void;
  /** log p(x, y) in nats, -Infinity outside the support. */
  logDensity(x: number, y: number): number;
}

/** The square of side 8 around the origin, in which more than 99.9 % of every toy distribution lies. */
export const EXTENT = [-4, 4, -4, 4] as const;

import type { Table } from "../table.js";
import type { Samples } from "./samples.js";

/** How stochastic log-determinants are taken; exact flows need none of it. */
export interface MapOptions {
  /** Of the probes (default 0). */
  readonly seed?: number;
  /** The number of the first row: a row's probes are keyed by its number (default 0). */
  readonly first?: number;
  /** Exact log-determinants by whole Jacobians, for small images (default false). */
  readonly exact?: boolean;
  /** False where only the points are wanted: log-determinants are then 0 (default true). */
  readonly logDet?: boolean;
}

/** What a flow does with the rows of tables; ranks that share its work (`RankPool`) do the same, to the last bit. */
export interface FlowMaps {
  /** Dimensions of a row. */
  readonly dim: number;
  /** z = F(x) and log|det dF/dx| for each row of x; logDet in nats. */
  forward(x: Samples, options?: MapOptions): Promise<{ z: Table; logDet: Float64Array }>;
  /** x = F^-1(z) and log|det dF^-1/dz| for each row of z; logDet in nats. */
  inverse(z: Samples, options?: MapOptions): Promise<{ x: Table; logDet: Float64Array }>;
  /** log p(x) for each row of x, in nats, in the units of the original columns; -Infinity outside of the support. */
  logProb(x: Samples, options?: MapOptions): Promise<Float64Array>;
  /** `count` samples; the same seed (default 0) gives the same samples. */
  sample(count: number, options?: { seed?: number }): Promise<Table>;
}

import type { Table } from "../table.js";
import type { Samples } from "./samples.js";

/** What a flow does with the rows of tables; ranks that share its work (`RankPool`) do the same, to the last bit. */
export interface FlowMaps {
  /** Dimensions of a row. */
  readonly dim: number;
  /** z = F(x) and log|det dF/dx| for each row of x; logDet in nats. */
  forward(x: Samples): Promise<{ z: Table; logDet: Float64Array }>;
  /** x = F^-1(z) and log|det dF^-1/dz| for each row of z; logDet in nats. */
  inverse(z: Samples): Promise<{ x: Table; logDet: Float64Array }>;
  /** log p(x) for each row of x, in nats, in the units of the original columns. */
  logProb(x: Samples): Promise<Float64Array>;
  /** `count` samples; the same seed (default 0) gives the same samples. */
  sample(count: number, options?: { seed?: number }): Promise<Table>;
}

import { z } from "zod";
import type { Table } from "../table.js";
import type { FailedRows } from "./failed-rows.js";
import type { Samples } from "./samples.js";

const whole = z.number().int().nonnegative();

/** What may be said of a map; a misspelt option is none of these. */
export const mapSchema = z.strictObject({
  seed: whole.default(0),
  first: whole.default(0),
  exact: z.boolean().default(false),
  logDet: z.boolean().default(true),
  failures: z.custom<FailedRows>().optional(),
  signal: z.custom<AbortSignal>().optional(),
});
export const sampleSchema = mapSchema.pick({ seed: true, failures: true, signal: true });
export const scoreSchema = mapSchema.pick({ failures: true, signal: true });

/** How stochastic log-determinants are taken, which exact flows need none of, and what becomes of rows that fail. */
export interface MapOptions {
  /** Of the probes (default 0). */
  readonly seed?: number;
  /** The number of the first row: a row's probes are keyed by its number (default 0). */
  readonly first?: number;
  /** Exact log-determinants by whole Jacobians, for small images (default false). */
  readonly exact?: boolean;
  /** False where only the points are wanted: log-determinants are then 0 (default true). */
  readonly logDet?: boolean;
  /**
   * Collects the rows that fail, whose results are then NaN. A row fails where a solve on its way misses its tolerance,
   * or where a result is not finite, but for the log-density -Infinity of a row outside of the model's support.
   * Without it (default) a map throws a `numerical` error if a row fails: no number comes from a failed computation.
   */
  readonly failures?: FailedRows | undefined;
  /** Ends the call, between two blocks, with the signal's reason; the flow is as it was. */
  readonly signal?: AbortSignal | undefined;
}

/** What becomes of rows that fail, and what ends the call. */
export type ScoreOptions = Pick<MapOptions, "failures" | "signal">;

/** How samples are drawn. */
export interface SampleOptions extends Pick<MapOptions, "failures" | "signal"> {
  /** Of the latents (default 0). */
  readonly seed?: number;
}

/**
 * What a flow does with the rows of tables; ranks that share its work (`RankMaps`) do the same, to the last bit. All
 * throw a `numerical` error if a row fails, unless `failures` collects them.
 */
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
  sample(count: number, options?: SampleOptions): Promise<Table>;
}

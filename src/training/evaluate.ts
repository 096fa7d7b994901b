/** How well a flow fits samples: the mean of -log p in nats, and its standard error. */
import type { DataSource } from "../data/source.js";
import type { FlowMaps, MapOptions } from "../flows/flow-maps.js";
import type { Table } from "../table.js";

/** How well a flow fits a table, as a mean over its rows. */
export interface Evaluation {
  /** Rows of the table. */
  rows: number;
  /** NaN where a row has failed (`MapOptions.failures`), Infinity where one is outside of the model's support. */
  loss: number;
  /** Not finite where the loss is not; NaN of a single row, where it is not known. */
  standardError: number;
  /** Of each row. */
  losses: Float64Array;
  /** Rows outside of the model's support, whose loss is Infinity. */
  outside: number;
}

/** Throws a `numerical` error where a row fails: its density would be wrong. */
export async function evaluate(flow: FlowMaps, samples: Table): Promise<Evaluation> {
  return summarise(await flow.logProb(samples));
}

/** Rows that are in memory at a time. */
const ROWS = 512;

/** Log-densities, in nats, of the first `samples` of a source's test sample, a part of it in memory at a time. */
export async function densities(
  flow: FlowMaps,
  source: DataSource,
  seed: number,
  samples = Number.POSITIVE_INFINITY,
  options: MapOptions = {},
): Promise<Float64Array> {
  if (source.testRows === undefined) return await flow.logProb(source.test(seed, samples), options);
  const rows = Math.min(samples, source.testRows);
  const logProb = new Float64Array(rows);
  for (let first = 0; first < rows; first += ROWS) {
    const part = source.test(seed, Math.min(ROWS, rows - first), first);
    logProb.set(await flow.logProb(part, { ...options, first }), first);
  }
  return logProb;
}

/** Nats of a sample as bits per dimension. */
export const bitsPerDimension = (nats: number, dim: number) => nats / (dim * Math.LN2);

/**
 * Mean and standard error of minus the log-densities. Both are Infinity where a row is outside of the support, and NaN
 * where a log-density is not a number. The error of a single row is not known: NaN.
 */
export function summarise(logProb: Float64Array): Evaluation {
  const rows = logProb.length;
  const mean = logProb.reduce((a, b) => a + b, 0) / rows;
  const squares = logProb.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const variance = mean === Number.NEGATIVE_INFINITY ? -mean : squares / (rows - 1);
  const losses = logProb.map((value) => -value);
  const outside = logProb.filter((value) => value === Number.NEGATIVE_INFINITY).length;
  return { rows, loss: -mean, standardError: Math.sqrt(variance / rows), losses, outside };
}

/** How well a flow fits samples: the mean of -log p in nats, and its standard error. */
import type { FlowMaps } from "../flows/flow-maps.js";
import type { Table } from "../table.js";

export interface Evaluation {
  rows: number;
  loss: number;
  standardError: number;
}

export async function evaluate(flow: FlowMaps, samples: Table): Promise<Evaluation> {
  return summarise(await flow.logProb(samples));
}

/** Mean and standard error of minus the log-densities. */
export function summarise(logProb: Float64Array): Evaluation {
  const rows = logProb.length;
  const mean = logProb.reduce((a, b) => a + b, 0) / rows;
  const variance = logProb.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, rows - 1);
  return { rows, loss: -mean, standardError: Math.sqrt(variance / rows) };
}

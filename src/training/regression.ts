/** How well a flow fits pairs (x, t): the mean of |F(x) - t|^2 / dim, and its standard error. */
import type { DataSource } from "../data/source.js";
import type { FlowMaps, MapOptions } from "../flows/flow-maps.js";
import { Table } from "../table.js";
import { type Evaluation, summarise } from "./evaluate.js";
import type { Score } from "./train-run.js";

/** |F(x) - t|^2 / dim for each row (x, t). */
export async function squaredErrors(
  flow: FlowMaps,
  pairs: Table,
  options: MapOptions = {},
): Promise<Float64Array> {
  const { dim } = flow;
  const inputs = new Table(pairs.rows, dim);
  for (let i = 0; i < pairs.rows; i++) inputs.values.set(pairs.row(i).subarray(0, dim), i * dim);
  const { z } = await flow.forward(inputs, options);
  return Float64Array.from({ length: pairs.rows }, (_, i) => {
    const target = pairs.row(i).subarray(dim);
    return z.row(i).reduce((sum, value, j) => sum + (value - target[j]) ** 2 / dim, 0);
  });
}

/** The mean squared error over the test pairs of a source. */
export function meanSquaredError(source: DataSource, seed: number): Score {
  return {
    unit: "mean squared error",
    perNat: 1,
    floor: null,
    async measure(flow, samples, failures): Promise<Evaluation> {
      const errors = await squaredErrors(flow, source.test(seed, samples), { failures });
      // As if they were log-densities, whose mean counts with a minus.
      return summarise(errors.map((error) => -error));
    },
  };
}

/** How a trained model is judged: by the likelihood of test samples, or by how well it fits pairs. */
import type { DataSource } from "../data/source.js";
import type { FailedRows } from "../flows/failed-rows.js";
import type { FlowMaps, MapOptions } from "../flows/flow-maps.js";
import { Table } from "../table.js";
import { bitsPerDimension, densities, type Evaluation, summarise } from "../training/evaluate.js";

/** How a model is judged. */
export interface Score {
  readonly unit: string;
  /** How many of these units a nat of a sample is. */
  readonly perNat: number;
  /** The least loss that a model can have, where it is known. */
  readonly floor: number | null;
  /** The loss on the first `samples` of the test sample; rows that fail are collected, or throw (`MapOptions`). */
  measure(flow: FlowMaps, samples: number, failures?: FailedRows): Promise<Evaluation>;
}

/** The mean of -log p over test samples: of images in bits per dimension, of others in nats. */
export function likelihood(source: DataSource, seed: number, options: MapOptions = {}): Score {
  const perNat = source.image ? bitsPerDimension(1, source.dim) : 1;
  return {
    unit: source.image ? "bits/dim" : "nats",
    perNat,
    floor: source.entropy,
    async measure(flow, samples, failures) {
      const test = summarise(await densities(flow, source, seed, samples, { ...options, failures }));
      return {
        ...test,
        loss: perNat * test.loss,
        standardError: perNat * test.standardError,
        losses: test.losses.map((loss) => perNat * loss),
      };
    },
  };
}

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

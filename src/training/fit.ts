/** Fitting a flow in one call, on the thread that calls. */
import { type DataSource, tableSource } from "../data/source.js";
import { alone } from "../engine/communicator.js";
import type { Flow } from "../flows/flow.js";
import { Table } from "../table.js";
import { Trainer } from "./trainer.js";

export interface FitOptions {
  /** Default 1000. */
  steps?: number;
  /** Samples a step (default 500). */
  batch?: number;
  /** Seed of the batches (default 0). */
  seed?: number;
  /** Adam's step size (default 1e-3). */
  learningRate?: number;
  /** L2 regularisation, added to the gradient (default 1e-5). */
  l2?: number;
  /** Called after every step with the number of steps done and the batch's loss in nats. */
  onStep?(step: number, loss: number): void;
}

/**
 * Trains a flow by maximum likelihood on a data source, or on rows that are drawn with replacement. The flow
 * is changed in place. Returns the mean loss of the last tenth of the steps, in nats.
 * Throws a `numerical` FlowError if the loss is no longer finite.
 */
export async function fit(
  flow: Flow,
  data: DataSource | Table | readonly (readonly number[])[],
  options: FitOptions = {},
): Promise<number> {
  const { steps = 1000, batch = 500, seed = 0, learningRate = 1e-3, l2 = 1e-5, onStep } = options;
  const source =
    "fill" in data && !(data instanceof Table) ? (data as DataSource) : rowsSource(Table.from(data as Table));
  const trainer = new Trainer(flow, source, { steps, batch, seed, learningRate, l2 }, alone);
  const tail: number[] = [];
  while (trainer.step < steps) {
    const { loss } = await trainer.advance();
    if (trainer.step > 0.9 * steps) tail.push(loss);
    onStep?.(trainer.step, loss);
  }
  flow.settle();
  return tail.reduce((a, b) => a + b, 0) / tail.length;
}

function rowsSource(rows: Table): DataSource {
  const names = Array.from({ length: rows.columns }, (_, i) => `x${i + 1}`);
  return tableSource("rows", rows, rows, names);
}

/** Fitting a flow in one call, on the thread that calls. */
import { type DataSource, tableSource } from "../data/source.js";
import type { Flow } from "../flows/flow.js";
import { resolved } from "../options.js";
import { alone } from "../ranks/communicator.js";
import { Table } from "../table.js";
import { type FitTraining, fitSchema } from "./options.js";
import { Trainer } from "./trainer.js";

/** How `fit` trains. */
export interface FitOptions extends FitTraining {
  /** Called after every step with the number of steps done and the batch's loss (nats, or mean squared error). */
  onStep?(step: number, loss: number): void;
}

/**
 * Trains a flow on a data source, or on rows that are drawn with replacement. The flow is changed in place.
 * Returns the mean loss of the last tenth of the steps. Throws a `usage` FlowError for samples of the wrong number
 * of columns, a `numerical` one if the loss is no longer finite.
 */
export async function fit(flow: Flow, data: DataSource | Rows, options: FitOptions = {}): Promise<number> {
  const { onStep, ...given } = options;
  const training = resolved(fitSchema, given, "fit");
  const { steps } = training;
  const source = isRows(data) ? rowsSource(Table.from(data)) : data;
  const trainer = new Trainer(flow, source, training, alone);
  const tail: number[] = [];
  while (trainer.step < steps) {
    const { loss } = await trainer.advance();
    if (trainer.step > 0.9 * steps) tail.push(loss);
    onStep?.(trainer.step, loss);
  }
  await flow.convergeNorms();
  return tail.reduce((a, b) => a + b, 0) / tail.length;
}

type Rows = Table | readonly (readonly number[])[];

const isRows = (data: DataSource | Rows): data is Rows => data instanceof Table || Array.isArray(data);

function rowsSource(rows: Table): DataSource {
  const names = Array.from({ length: rows.columns }, (_, i) => `x${i + 1}`);
  return tableSource("rows", rows, rows, names);
}

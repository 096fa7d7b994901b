/** Fitting a flow in one call, on the thread that calls. */
import { type AsyncSource, type DataSource, tableSource } from "../data/source.js";
import { check } from "../errors.js";
import type { Flow } from "../flows/flow.js";
import type { Samples } from "../flows/samples.js";
import { resolved } from "../options.js";
import { alone } from "../ranks/communicator.js";
import { Table } from "../table.js";
import { type FitTraining, fitSchema } from "./options.js";
import { Trainer } from "./trainer.js";

/** How `fit` trains. */
export interface FitOptions extends FitTraining {
  /**
   * Called, and waited for, after every step with the number of steps done and the batch's loss (nats, or mean squared
   * error). What it asks of the flow meanwhile is of the weights at that step. Return true to stop.
   */
  onStep?(step: number, loss: number): HookResult | Promise<HookResult>;
  /** Ends training between two blocks, with the signal's reason; the flow is then that of the last whole step. */
  readonly signal?: AbortSignal | undefined;
}

type HookResult = boolean | undefined | void;

/** Flows that are being fitted. */
const busy = new WeakSet<Flow>();

/**
 * Trains a flow on a data source, or on rows that are drawn with replacement. The flow is changed in place.
 * Returns the mean loss of the last tenth of the steps. Throws a `usage` FlowError for samples of the wrong number
 * of columns, a `numerical` one if the loss is no longer finite.
 */
export async function fit(flow: Flow, data: AsyncSource | Rows, options: FitOptions = {}): Promise<number> {
  const { onStep, signal, ...given } = options;
  const training = resolved(fitSchema, given, "fit");
  const source = isRows(data) ? rowsSource(Table.copy(data)) : data;
  check(!busy.has(flow), "usage", "this flow is being fitted by another call; wait until that has ended");
  busy.add(flow);
  try {
    const trainer = new Trainer(flow, source, training, alone);
    const tail: number[] = [];
    let stopped = false;
    while (trainer.step < training.steps && !stopped) {
      const { loss } = await trainer.advance(signal);
      if (trainer.step > 0.9 * training.steps) tail.push(loss);
      stopped = (await onStep?.(trainer.step, loss)) === true;
      if (stopped && tail.length === 0) tail.push(loss);
    }
    await trainer.finish();
    return tail.reduce((a, b) => a + b, 0) / tail.length;
  } finally {
    busy.delete(flow);
  }
}

type Rows = Samples;

const isRows = (data: AsyncSource | Rows): data is Rows => data instanceof Table || Array.isArray(data);

function rowsSource(rows: Table): DataSource {
  const names = Array.from({ length: rows.columns }, (_, i) => `x${i + 1}`);
  return tableSource("rows", rows, rows, names);
}

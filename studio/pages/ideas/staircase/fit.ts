/** What a slice of training has made of one variant. */
import { FailedRows, type Table, type Trainer } from "../../../library.js";
import type { StaircaseFit } from "./messages.js";

/** A step's loss; NaN where it comes from a solve that missed its tolerance. */
export async function lossOfStep(trainer: Pick<Trainer, "advance">): Promise<number> {
  const { loss, unconverged } = await trainer.advance();
  return unconverged > 0 ? Number.NaN : loss;
}

/** F on the grid, by the weights that the last step has left. */
export async function fitOf(
  { flow }: Pick<Trainer, "flow">,
  grid: Table,
  losses: number[],
): Promise<StaircaseFit> {
  flow.prepare();
  const failures = new FailedRows();
  const { z } = await flow.forward(grid, { logDet: false, failures });
  return { value: Float32Array.from(z.values), failed: failures.count, losses };
}

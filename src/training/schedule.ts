/** A learning rate that is constant from step to step: factor_i times the initial one from step `from`_i on. */
export interface RateChange {
  /** Counted from 0: the number of steps done before the change. */
  readonly from: number;
  /** Times the initial learning rate (not that of the stretch before). */
  readonly factor: number;
}

/**
 * The learning rate of a step, counted from 0; of the changes that have come by then the last one counts. In the first
 * `warmUp` steps it grows evenly from a `warmUp`-th of that.
 */
export function rateAt(step: number, initial: number, schedule: readonly RateChange[], warmUp = 0): number {
  const share = step < warmUp ? (step + 1) / warmUp : 1;
  return share * initial * (schedule.findLast(({ from }) => step >= from)?.factor ?? 1);
}

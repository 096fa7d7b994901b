/** The training loop of rank 0: steps, and between them whatever its hooks do. */
import { setImmediate } from "node:timers/promises";
import type { FlowError } from "../errors.js";
import { createTrainer, type TrainingJob } from "./job.js";
import { startRanks } from "./ranks.js";
import { RANK_FAILED } from "./thread-communicator.js";
import type { StepResult, Trainer } from "./trainer.js";

export interface TrainingHooks {
  /** After every step. Return true to stop after the next one (which all ranks then know to be the last). */
  onStep?(
    trainer: Trainer,
    result: StepResult,
  ): Promise<boolean | undefined | void> | boolean | undefined | void;
}

/** How long steps may follow each other before timers, signals and messages get their turn. */
const TURN_MS = 30;

/** Trains to the end of the job on that many threads, and returns rank 0's trainer; `stopped` if a hook asked for it. */
export async function train(
  job: TrainingJob,
  threads: number,
  hooks: TrainingHooks = {},
): Promise<{ trainer: Trainer; stopped: boolean }> {
  const trainer = await createTrainer(job, {
    rank: 0,
    size: threads,
    allReduce: (values) => ranks.communicator.allReduce(values),
    broadcast: (values) => ranks.communicator.broadcast(values),
    barrier: () => ranks.communicator.barrier(),
  });
  const ranks = startRanks(job, threads, trainer.reducedLength);
  let stop = false;
  let stopped = false;
  let lastTurn = performance.now();
  try {
    while (trainer.step < job.options.steps && !stopped) {
      const result = await trainer.advance(stop);
      stopped = result.stop;
      if ((await hooks.onStep?.(trainer, result)) === true) stop = true;
      if (performance.now() - lastTurn > TURN_MS) {
        await setImmediate();
        lastTurn = performance.now();
      }
    }
    await ranks.join();
  } catch (error) {
    // Of a dead worker, only the end of the waiting is heard here; what killed it says more.
    const heard = (error as FlowError).message === RANK_FAILED;
    const cause = heard ? await ranks.failure.catch((failure) => failure) : error;
    await ranks.kill();
    throw cause;
  }
  return { trainer, stopped };
}

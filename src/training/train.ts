/** The training loop of rank 0: steps, and between them whatever its hooks do. */
import type { FlowError } from "../errors.js";
import { optionValue } from "../options.js";
import { threads as threadsOption } from "../ranks/options.js";
import { possibleRanks } from "../ranks/start.js";
import { RANK_FAILED } from "../ranks/thread-communicator.js";
import { Turns } from "../turn.js";
import { createTrainer, type TrainingJob } from "./job.js";
import { launchTraining, trainingProgram } from "./launch.js";
import type { StepResult, Trainer } from "./trainer.js";

/** What `train` calls between steps. */
export interface TrainingHooks {
  /** Before the first step. Return true to do none. */
  onStart?(trainer: Trainer): Promise<boolean | undefined | void> | boolean | undefined | void;
  /** After every step. Return true to stop. */
  onStep?(
    trainer: Trainer,
    result: StepResult,
  ): Promise<boolean | undefined | void> | boolean | undefined | void;
}

/** What `train` returns. */
export interface Trained {
  /** That of rank 0. */
  trainer: Trainer;
  /** Whether a hook asked to stop. */
  stopped: boolean;
  /** Why there were fewer ranks than threads asked for; null if there were not. */
  remark: string | null;
}

/**
 * Trains to the end of the job with that many ranks, in Node or in a page, which may go on meanwhile. `program` is
 * what the other ranks run, for bundlers that cannot find it. Throws a `numerical` error if the loss is no longer
 * finite, an `internal` one if a rank dies, a `usage` one for a number of threads that is none.
 */
export async function train(
  job: TrainingJob,
  threads: number,
  hooks: TrainingHooks = {},
  program = trainingProgram,
): Promise<Trained> {
  const { ranks: size, remark } = possibleRanks(optionValue(threadsOption, threads, "threads"));
  const trainer = await createTrainer(job, {
    rank: 0,
    size,
    allReduce: (values) => launched.communicator.allReduce(values),
    sumPieces: (...call) => launched.communicator.sumPieces(...call),
    broadcast: (values) => launched.communicator.broadcast(values),
    barrier: () => launched.communicator.barrier(),
  });
  const launched = await launchTraining(job, size, trainer.sums, program);
  const turns = new Turns();
  try {
    let stopped = (await hooks.onStart?.(trainer)) === true;
    while (trainer.step < job.options.steps && !stopped) {
      const result = await trainer.advance();
      await turns.give();
      stopped = (await hooks.onStep?.(trainer, result)) === true;
    }
    // After a step all that the next one depends on is here; the others may have begun that one.
    if (!stopped) await launched.done;
    await launched.workers.terminate();
    return { trainer, stopped, remark };
  } catch (error) {
    // Of a dead worker, only the end of the waiting is heard here; what killed it says more.
    const heard = (error as FlowError).message === RANK_FAILED;
    const cause = heard ? await launched.workers.failure.catch((failure) => failure) : error;
    await launched.workers.terminate();
    throw cause;
  }
}

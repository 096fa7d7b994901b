/** Launches the ranks of a training job: rank 0 is this thread, the others run on workers. */
import { modulesOf } from "../bijections/index.js";
import { alone, type Communicator } from "../ranks/communicator.js";
import { RankWorkers } from "../ranks/rank-workers.js";
import { type SharedSums, type Sums, sharedSums, ThreadCommunicator } from "../ranks/thread-communicator.js";
import type { RankProgram } from "../ranks/worker.js";
import type { TrainingJob } from "./job.js";

/** The program of the ranks 1, 2, ... */
export const trainingProgram: RankProgram = {
  node: () => new URL(/* @vite-ignore */ "./training-program.js", import.meta.url),
  web: () => new Worker(new URL("./training-program.js", import.meta.url), { type: "module" }),
};

/** What such a rank is told. */
export interface TrainingTask {
  job: TrainingJob;
  /** Of bijections that the package does not know. */
  modules: readonly string[];
  shared: SharedSums;
  rank: number;
}

/** The ranks of a training job, as rank 0 has them. */
export interface LaunchedTraining {
  readonly communicator: Communicator;
  /** Those of the ranks 1, 2, ... */
  readonly workers: RankWorkers;
  /** Resolves when the workers have done all their steps. */
  readonly done: Promise<void>;
}

/** `sums` is what a step sums. */
export async function launchTraining(
  job: TrainingJob,
  size: number,
  sums: Sums,
  program: RankProgram = trainingProgram,
): Promise<LaunchedTraining> {
  if (size === 1) {
    return { communicator: alone, workers: await RankWorkers.launch(program, 1), done: Promise.resolve() };
  }
  const modules = modulesOf(job.declaration.bijections);
  const shared = sharedSums(size, sums);
  const communicator = new ThreadCommunicator(shared, 0);
  const workers = await RankWorkers.launch(program, size);
  const done = workers.run((rank): TrainingTask => ({ job, modules, shared, rank }));
  workers.failure.catch(() => communicator.abort());
  return { communicator, workers, done };
}

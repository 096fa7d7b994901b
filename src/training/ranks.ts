/** Starts the ranks of a training job: rank 0 is this thread, the others are workers. */
import { modulesOf } from "../bijections/index.js";
import { alone, type Communicator } from "../ranks/communicator.js";
import { Team } from "../ranks/team.js";
import {
  type SharedRanks,
  type Sums,
  sharedRanks,
  ThreadCommunicator,
} from "../ranks/thread-communicator.js";
import type { RankProgram } from "../ranks/worker.js";
import type { TrainingJob } from "./job.js";

/** The program of the ranks 1, 2, ... */
export const trainingProgram: RankProgram = {
  node: () => new URL(/* @vite-ignore */ "./rank-worker.js", import.meta.url),
  web: () => new Worker(new URL("./rank-worker.js", import.meta.url), { type: "module" }),
};

/** What such a rank is told. */
export interface RankTask {
  job: TrainingJob;
  /** Of bijections that the package does not know. */
  modules: readonly string[];
  shared: SharedRanks;
  rank: number;
}

export interface Ranks {
  readonly communicator: Communicator;
  /** Rejects when a worker fails, with an error that says which and why; never resolves. */
  readonly failure: Promise<never>;
  /** Waits until the workers have done all their steps, and ends them. */
  join(): Promise<void>;
  /** Ends the workers at once. */
  kill(): Promise<void>;
}

/** `sums` is what a step sums. */
export async function startRanks(
  job: TrainingJob,
  size: number,
  sums: Sums,
  program: RankProgram = trainingProgram,
): Promise<Ranks> {
  if (size === 1) {
    return {
      communicator: alone,
      failure: new Promise(() => {}),
      join: async () => {},
      kill: async () => {},
    };
  }
  const modules = modulesOf(job.declaration.bijections);
  const shared = sharedRanks(size, sums);
  const communicator = new ThreadCommunicator(shared, 0);
  const team = await Team.start(program, size);
  const done = team.run((rank): RankTask => ({ job, modules, shared, rank }));
  team.failure.catch(() => communicator.abort());
  return {
    communicator,
    failure: team.failure,
    join: async () => {
      await done;
      await team.terminate();
    },
    kill: () => team.terminate(),
  };
}

/** Starts the ranks of a training job: rank 0 is this thread, the others are worker threads. */
import { Worker } from "node:worker_threads";
import { alone, type Communicator } from "../engine/communicator.js";
import { FlowError } from "../errors.js";
import type { TrainingJob } from "./job.js";
import { sharedRanks, ThreadCommunicator } from "./thread-communicator.js";

export interface Ranks {
  readonly communicator: Communicator;
  /** Rejects when a worker dies before it is done; never resolves. */
  readonly failure: Promise<never>;
  /** Waits for the workers to end by themselves. */
  join(): Promise<void>;
  /** Ends the workers at once. */
  kill(): Promise<void>;
}

/** `length` is the most numbers that a step sums. */
export function startRanks(job: TrainingJob, threads: number, length: number): Ranks {
  if (threads === 1) {
    return {
      communicator: alone,
      failure: new Promise(() => {}),
      join: async () => {},
      kill: async () => {},
    };
  }
  const shared = sharedRanks(threads, length);
  const communicator = new ThreadCommunicator(shared, 0);
  const workers = Array.from({ length: threads - 1 }, (_, i) => {
    const workerData = { job, shared, rank: i + 1 };
    return new Worker(new URL("./rank-worker.js", import.meta.url), { workerData });
  });
  let fail: (error: FlowError) => void = () => {};
  const failure = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failure.catch(() => {});
  const exits = workers.map(
    (worker, i) =>
      new Promise<void>((resolve) => {
        let cause: unknown;
        worker.on("error", (error) => {
          cause = error;
        });
        worker.on("exit", (code) => {
          if (code !== 0) {
            const why = cause instanceof Error ? `: ${cause.message}` : ` with code ${code}`;
            fail(new FlowError("internal", `rank ${i + 1} of ${threads} died${why}`, { cause }));
            communicator.abort();
          }
          resolve();
        });
      }),
  );
  return {
    communicator,
    failure,
    join: async () => {
      await Promise.all(exits);
    },
    kill: async () => {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

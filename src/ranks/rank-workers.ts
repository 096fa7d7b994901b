/** The workers on which the ranks 1, 2, ... of a program run: rank 0 is the thread that launches them. */
import { FlowError } from "../errors.js";
import { startWorker } from "./start.js";
import type { RankProgram, RankWorker } from "./worker.js";

export class RankWorkers {
  /** Rejects as soon as a rank fails, with an error that says which and why; never resolves. */
  readonly failure: Promise<never>;
  readonly #workers: readonly RankWorker[];
  #fail: (error: FlowError) => void = () => {};

  /** Starts the workers of a program of `size` ranks; throws an `internal` error, and ends all, if one of them cannot be started. */
  static async launch(program: RankProgram, size: number): Promise<RankWorkers> {
    const starts = await Promise.allSettled(Array.from({ length: size - 1 }, () => startWorker(program)));
    const workers = starts.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
    const failed = starts.find((start) => start.status === "rejected");
    if (!failed) return new RankWorkers(workers);
    await Promise.all(workers.map((worker) => worker.terminate()));
    const cause = failed.reason as Error;
    throw new FlowError(
      "internal",
      `only ${workers.length + 1} of ${size} threads can be started here (${cause.message}); use fewer threads`,
      { cause },
    );
  }

  private constructor(workers: readonly RankWorker[]) {
    this.#workers = workers;
    this.failure = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.failure.catch(() => {});
  }

  /** Gives every worker the task of its rank. Resolves when all have done theirs; rejects with the first failure of any rank. */
  run(task: (rank: number) => unknown): Promise<void> {
    const size = this.#workers.length + 1;
    const all = this.#workers.map(async (worker, i) => {
      try {
        await worker.run(task(i + 1));
      } catch (cause) {
        const why = (cause as FlowError).message;
        this.#fail(new FlowError("internal", `rank ${i + 1} of ${size} died: ${why}`, { cause }));
        throw cause;
      }
    });
    const done = Promise.race([this.failure, Promise.all(all).then(() => {})]);
    // Whoever waits hears of a failure; nobody has to wait.
    done.catch(() => {});
    return done;
  }

  /** Ends all workers at once. */
  async terminate(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

/**
 * A worker thread that runs a program of ranks: tasks are posted to it, it does one after the other and answers
 * each. `node-worker.ts` and `web-worker.ts` hold both ends of that line, for worker threads and for Web Workers.
 */
import { FlowError } from "../errors.js";

/** Where the module of a program stands, in the two ways that starting it needs. */
export interface RankProgram {
  /** For Node. */
  node(): URL;
  /** For a browser, in the form that bundlers recognise: `new Worker(new URL("...", import.meta.url), ...)`. */
  web(): Worker;
}

export interface RankWorker {
  /**
   * Resolves when the program has done the task. Rejects with an `internal` error that says why if the program
   * throws, or if the thread ends before it has answered.
   */
  run(task: unknown): Promise<void>;
  /** Ends the thread at once; tasks that it has not answered reject. */
  terminate(): Promise<void>;
}

/** What a worker posts for every task. */
export interface Answer {
  /** Why it failed; null if it was done. */
  readonly failure: string | null;
}

/** Does one task, and says how it went. */
export async function answer<Task>(program: (task: Task) => Promise<void>, task: Task): Promise<Answer> {
  try {
    await program(task);
    return { failure: null };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}

/** The tasks of one worker that it has not answered yet, oldest first. */
export class OpenTasks {
  readonly #open: { done(): void; failed(error: FlowError): void }[] = [];
  #death: FlowError | null = null;

  get count(): number {
    return this.#open.length;
  }

  /** The outcome of a task that is about to be posted. */
  add(): Promise<void> {
    const death = this.#death;
    if (death) return Promise.reject(death);
    return new Promise((done, failed) => this.#open.push({ done, failed }));
  }

  answered({ failure }: Answer): void {
    const task = this.#open.shift();
    if (failure === null) task?.done();
    else task?.failed(new FlowError("internal", failure));
  }

  /** The thread is gone: nothing will be answered any more. Only the first reason counts. */
  died(why: string): void {
    this.#death ??= new FlowError("internal", why);
    for (const { failed } of this.#open.splice(0)) failed(this.#death);
  }
}

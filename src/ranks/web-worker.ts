/**
 * Ranks on Web Workers. A page hears nothing of a worker that closes itself or is ended by the browser, but the locks
 * that it held become free: so a worker holds a lock for as long as it lives, and the page waits for that lock.
 */
import { type Answer, answer, OpenTasks, type RankWorker } from "./worker.js";

/** The first message of a worker: the name of the lock that it holds. */
interface Greeting {
  readonly lock: string;
}

export function startWebWorker(worker: Worker): RankWorker {
  const tasks = new OpenTasks();
  worker.addEventListener("message", ({ data }: MessageEvent<Answer | Greeting>) => {
    if ("lock" in data) void navigator.locks.request(data.lock, () => tasks.died("its thread has ended"));
    else tasks.answered(data);
  });
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    tasks.died(event.message || "its program cannot be loaded");
  });
  return {
    run(task) {
      const outcome = tasks.add();
      worker.postMessage(task);
      return outcome;
    },
    async terminate() {
      worker.terminate();
      tasks.died("its thread was ended");
    },
  };
}

/** The worker's end. Call it before the program waits for anything: messages are not kept for later listeners. */
export function serveInWeb<Task>(program: (task: Task) => Promise<void>): void {
  let before = greet();
  addEventListener("message", ({ data: task }: MessageEvent<Task>) => {
    before = before.then(async () => postMessage(await answer(program, task)));
  });
}

/** Takes a lock that is never given back, and tells the page its name. */
function greet(): Promise<void> {
  const lock = `monotone-flows rank ${crypto.randomUUID()}`;
  return new Promise((resolve) => {
    void navigator.locks.request(lock, () => {
      postMessage({ lock } satisfies Greeting);
      resolve();
      return new Promise(() => {});
    });
  });
}

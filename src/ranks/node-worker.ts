/** Ranks on the worker threads of Node. Its modules are imported when needed, so that bundles for browsers can do without. */
import { type Answer, answer, OpenTasks, type RankWorker } from "./worker.js";

/** Whether this is Node, and not a browser. */
export const inNode = typeof process !== "undefined" && process.versions?.node !== undefined;

export async function startNodeWorker(program: URL): Promise<RankWorker> {
  const { Worker } = await import("node:worker_threads");
  const worker = new Worker(program);
  const tasks = new OpenTasks();
  let ending = false;
  // A worker without a task keeps no process alive.
  worker.unref();
  worker.on("message", (message: Answer) => {
    tasks.answered(message);
    if (tasks.count === 0 && !ending) worker.unref();
  });
  worker.on("error", (error) => tasks.died(error instanceof Error ? error.message : String(error)));
  worker.on("exit", (code) => tasks.died(`its thread ended with code ${code}`));
  return {
    run(task) {
      const outcome = tasks.add();
      worker.ref();
      worker.postMessage(task);
      return outcome;
    },
    async terminate() {
      // Who waits for the end of the thread needs the process until then, also if a last answer comes meanwhile.
      ending = true;
      worker.ref();
      await worker.terminate();
    },
  };
}

/** The worker's end. */
export async function serveInNode<Task>(program: (task: Task) => Promise<void>): Promise<void> {
  const { parentPort } = await import("node:worker_threads");
  let before = Promise.resolve();
  parentPort?.on("message", (task: Task) => {
    before = before.then(async () => parentPort.postMessage(await answer(program, task)));
  });
}

/** The program of a rank that takes part in training or in mapping, and dies as its address says. */
import { setTimeout } from "node:timers/promises";
import type { MapTask } from "../../src/ranks/map-program.js";
import type { SharedRows } from "../../src/ranks/shared-rows.js";
import { serve } from "../../src/ranks/start.js";
import { ThreadCommunicator } from "../../src/ranks/thread-communicator.js";
import { createTrainer } from "../../src/training/job.js";
import type { TrainingTask } from "../../src/training/launch.js";
import type { Death, When } from "./rank-programs.js";

const parameters = new URL(import.meta.url).searchParams;
const death = parameters.get("death") as Death;
const when = parameters.get("when") as When;

let shared: SharedRows;

async function die(): Promise<void> {
  if (death === "throws") throw new Error("this rank throws");
  if (death === "exits") process.exit(0);
  // Outside of the task, as in a forgotten promise or in a timer.
  queueMicrotask(() => {
    throw new Error("this rank fails later");
  });
  await setTimeout(60_000);
}

serve(async (task: TrainingTask | MapTask) => {
  if (when === "at the start") await die();
  if ("job" in task) {
    const trainer = await createTrainer(task.job, new ThreadCommunicator(task.shared, task.rank));
    for (let step = 0; step < 3; step++) await trainer.advance();
    await die();
  } else if (task.kind === "build") shared = task.shared;
  else if (task.kind === "map") {
    // A piece is taken, and never done.
    Atomics.add(new Int32Array(shared.taken), 0, 1);
    await die();
  }
});

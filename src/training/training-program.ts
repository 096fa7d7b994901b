/** The program of the ranks 1, 2, ...: the same steps as rank 0, which ends this thread where it stops earlier. */
import { importModules } from "../bijections/index.js";
import { FlowError } from "../errors.js";
import { serve } from "../ranks/start.js";
import { ThreadCommunicator } from "../ranks/thread-communicator.js";
import { createTrainer } from "./job.js";
import type { TrainingTask } from "./launch.js";

serve(async ({ job, modules, shared, rank }: TrainingTask) => {
  await importModules(modules);
  const trainer = await createTrainer(job, new ThreadCommunicator(shared, rank));
  try {
    while (trainer.step < job.options.steps) await trainer.advance();
  } catch (error) {
    // All ranks see a loss that is not finite in the same step, and rank 0 reports it.
    if (!(error instanceof FlowError && error.code === "numerical")) throw error;
  }
});

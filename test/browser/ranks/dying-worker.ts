/** A rank that takes part in some steps of training, and dies as its name says. */
import { serve } from "../../../src/ranks/start.js";
import { ThreadCommunicator } from "../../../src/ranks/thread-communicator.js";
import { createTrainer } from "../../../src/training/job.js";
import type { TrainingTask } from "../../../src/training/launch.js";

serve(async ({ job, shared, rank }: TrainingTask) => {
  const trainer = await createTrainer(job, new ThreadCommunicator(shared, rank));
  for (let step = 0; step < 3; step++) await trainer.advance();
  if (self.name === "throws") throw new Error("this rank throws");
  self.close();
  await new Promise(() => {});
});

/** The program of the ranks 1, 2, ...: the same steps as rank 0, until the end or until some rank asks to stop. */
import { workerData } from "node:worker_threads";
import { FlowError } from "../errors.js";
import { createTrainer, type TrainingJob } from "./job.js";
import { type SharedRanks, ThreadCommunicator } from "./thread-communicator.js";

const { job, shared, rank } = workerData as { job: TrainingJob; shared: SharedRanks; rank: number };
const communicator = new ThreadCommunicator(shared, rank);
try {
  const trainer = await createTrainer(job, communicator);
  while (trainer.step < job.options.steps) {
    const { stop } = await trainer.advance();
    if (stop) break;
  }
} catch (error) {
  // All ranks see a loss that is not finite in the same step, and rank 0 reports it.
  if (!(error instanceof FlowError && error.code === "numerical")) {
    communicator.abort();
    throw error;
  }
}

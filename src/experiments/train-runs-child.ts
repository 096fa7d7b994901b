/** The program of one run of `trainRuns`: trains the run directory that it is given, and tells its parent how far it is. */
import { FlowError } from "../errors.js";
import { reloadData } from "../presets/data.js";
import { loadCheckpoint } from "../runs/checkpoint.js";
import { Run } from "../runs/run.js";
import { trainRun } from "../runs/train-run.js";
import { keepTestLosses } from "./test-losses.js";
import type { RunMessage } from "./train-runs.js";

const TELL_EVERY_MS = 1_000;
/** The weight of the newest loss in the mean that is reported. */
const SMOOTHING = 0.02;

/** A message that no parent takes any more is no fault: `disconnect` says so, too. */
const tell = (message: RunMessage) => process.send?.(message, undefined, undefined, () => {});
/** A parent that is gone wants no more steps; nobody else would stop them. */
const stop = () => process.kill(process.pid, "SIGTERM");

process.once("disconnect", stop);
try {
  const run = Run.open(process.argv[2]);
  run.lock();
  run.removeLeftovers();
  const { steps, seed } = run.config.training;
  const state = loadCheckpoint(run.file("checkpoint"), run);
  let reported = 0;
  let mean: number | null = null;
  const { data } = run.config;
  await trainRun(
    { run, data: data.kind === "staircase" ? data : (await reloadData(data, seed, run.path)).job, state },
    {
      goOn: "the same command",
      async onTrained(_flow, { test }) {
        if (data.kind === "images") keepTestLosses(run, test.losses);
      },
      onStep(step, loss) {
        mean = mean === null ? loss : mean + SMOOTHING * (loss - mean);
        if (performance.now() - reported < TELL_EVERY_MS && step < steps) return;
        reported = performance.now();
        tell({ kind: "step", step, loss: mean });
      },
    },
  );
} catch (error) {
  const { message } = error as Error;
  const { code, advice } = error instanceof FlowError ? error : new FlowError("internal", message);
  tell({ kind: "failure", code, message, advice });
  process.exitCode = 1;
}
process.off("disconnect", stop);
process.disconnect?.();

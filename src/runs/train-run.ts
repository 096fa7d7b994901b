/**
 * Training in a run directory: from a fresh start or from a checkpoint to the model, with metrics, tests on the way
 * and checkpoints, so that a run that is interrupted or killed goes on bit for bit.
 */
import { check, FlowError } from "../errors.js";
import { FailedRows } from "../flows/failed-rows.js";
import type { Flow } from "../flows/flow.js";
import { encodeFlow } from "../flows/model-encoding.js";
import { median } from "../plots/quantile.js";
import { withRanks } from "../ranks/rank-maps.js";
import type { Evaluation } from "../training/evaluate.js";
import { type DataJob, dataSource } from "../training/job.js";
import { train } from "../training/train.js";
import type { StepResult, Trainer } from "../training/trainer.js";
import { type Checkpoint, saveCheckpoint } from "./checkpoint.js";
import { Interruption } from "./interruption.js";
import type { Run } from "./run.js";
import { likelihood, meanSquaredError, type Score } from "./score.js";

/** A line of metrics every so many steps, and a test of so many samples so many times a run. */
const METRICS_EVERY = 10;
const TESTS = 20;
const TEST_SAMPLES = 2_000;
/** The same of images, of which each takes a thousand times as long. */
const TEST_IMAGES = 128;
/** Samples of the test at the end. */
export const testSamples = 10_000;

export interface RunJob {
  run: Run;
  data: DataJob;
  /** Where to go on from; null at the start. */
  state: Checkpoint | null;
}

export interface RunOptions {
  /** The command that goes on with the run, named where it is stopped. */
  goOn: string;
  /** At the first SIGINT, SIGTERM or SIGHUP: what comes of it, in one sentence. */
  onInterrupt?(sentence: string): void;
  /** After every step: the steps done and the batch's loss. */
  onStep?(step: number, loss: number): void;
  /** With the flow, after each test on the way. */
  onTest?(flow: Flow, step: number): Promise<void>;
  /** With the saved model, before `summary.json` says that the run has ended. */
  onTrained?(flow: Flow, result: RunResult): Promise<void>;
}

/** What `summary.json` says. */
export interface RunSummary {
  run: string;
  data: string;
  steps: number;
  /** Null where it is not known: test samples have failed, or lie outside of the model's support. */
  testLoss: number | null;
  /** Null where it is not known. */
  standardError: number | null;
  unit: string;
  entropy: number | null;
  /** The test loss above the entropy. */
  gap: number | null;
  /** Samples of the test, those among them that failed for either reason (`FailedRows`), and those outside. */
  testRows: number;
  testUnconverged: number;
  testNotFinite: number;
  testOutside: number;
  /** Median of this process; null if it did no step. */
  msPerStep: number | null;
  /** Training time, with that of the processes before. */
  seconds: number;
  /** Samples of training steps whose solver missed its tolerance. */
  unconverged: number;
  peakMemoryMB: number;
}

export interface RunResult {
  summary: RunSummary;
  test: Evaluation;
  /** The test samples that failed. */
  failures: FailedRows;
}

/**
 * Trains to the last step of the run's configuration, and leaves the model, `metrics.jsonl`, the last checkpoint and
 * `summary.json` (last) in its directory. SIGINT, SIGTERM and SIGHUP stop it after the step at hand, or in the midst of a
 * test, with a checkpoint and an `internal` error that names `goOn`; a second one ends the process at once. Throws a
 * `numerical` error that names the last good checkpoint if the loss is no longer finite, a `run` error if another
 * process trains in the directory.
 */
export async function trainRun(job: RunJob, options: RunOptions): Promise<RunResult> {
  job.run.lock();
  try {
    return await trainLocked(job, options);
  } finally {
    job.run.unlock();
  }
}

async function trainLocked({ run, data, state }: RunJob, options: RunOptions): Promise<RunResult> {
  const { config } = run;
  const { steps, seed } = config.training;
  const source = await dataSource(data);
  const score = (config.training.objective === "regression" ? meanSquaredError : likelihood)(source, seed);
  const tested = source.image ? TEST_IMAGES : TEST_SAMPLES;
  const log = new MetricsLog(run, score, tested, state);
  const saver = new CheckpointSaver(run, state);
  const stepTimes: number[] = [];
  const interruption = new Interruption(() =>
    options.onInterrupt?.(
      `stopping with a checkpoint, after the step at hand at the latest; a second Ctrl-C ends at once, and loses ${saver.unsaved()}`,
    ),
  );
  const record = (trainer: Trainer) =>
    interruption.unlessHeard(trainer.flow, () =>
      log.write(trainer, async (flow) => options.onTest?.(flow, trainer.step)),
    );
  let stepBegan = performance.now();
  try {
    const job = { data, declaration: config.flow, options: config.training, state };
    const { trainer } = await train(job, config.threads, {
      async onStart(trainer) {
        // Signals before the first step end the process, as nothing is lost by that.
        interruption.listen();
        // The line in whose test the run was interrupted.
        await record(trainer);
        stepBegan = performance.now();
        return interruption.heard;
      },
      async onStep(trainer, result) {
        stepTimes.push(performance.now() - stepBegan);
        const { step } = trainer;
        saver.prove();
        saver.save();
        options.onStep?.(step, score.perNat * result.loss);
        log.add(result);
        await record(trainer);
        if (step % config.checkpointEvery === 0 || step === steps || interruption.heard) {
          saver.hold({ ...trainer.state(), sums: log.sums() });
          if (interruption.heard) saver.save();
        }
        stepBegan = performance.now();
        return interruption.heard;
      },
    });
    const { flow } = trainer;
    const result = await interruption.unlessHeard(flow, async () => {
      await trainer.finish();
      const ranks = config.threads;
      const failures = new FailedRows();
      const test = await withRanks(flow, (maps) => score.measure(maps, testSamples, failures), { ranks });
      // A model that gives a number for no sample at all is none; one that fails for some is kept, and they are told.
      check(
        failures.count < test.rows,
        "numerical",
        `the model of step ${steps} has no test loss: ${failures.describe("test sample")}`,
      );
      saver.save();
      flow.steps = steps;
      run.writeModel(encodeFlow(flow));
      const summary = {
        run: run.path,
        data: source.name,
        steps,
        testLoss: finiteOrNull(test.loss),
        standardError: finiteOrNull(test.standardError),
        unit: score.unit,
        entropy: score.floor,
        gap: score.floor === null ? null : finiteOrNull(test.loss - score.floor),
        testRows: test.rows,
        testUnconverged: failures.unconverged,
        testNotFinite: failures.notFinite,
        testOutside: test.outside,
        msPerStep: finiteOrNull(median(stepTimes)),
        seconds: log.seconds(),
        unconverged: run.metrics().reduce((sum, m) => sum + m.unconverged, 0),
        peakMemoryMB: process.resourceUsage().maxRSS / 1024,
      };
      const result = { summary, test, failures };
      await options.onTrained?.(flow, result);
      run.writeSummary(summary);
      return result;
    });
    if (result) return result;
    saver.save();
    throw new FlowError("internal", `stopped at step ${trainer.step}; go on with: ${options.goOn}`);
  } catch (error) {
    if (!(error instanceof FlowError && error.code === "numerical")) throw error;
    throw new FlowError("numerical", `${error.message}; ${saver.lastGood()}`, { cause: error });
  } finally {
    interruption.end();
  }
}

/** A number for JSON, which has none that are not finite. */
const finiteOrNull = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** Writes `metrics.jsonl`: the means since the line before, and now and then a test. */
class MetricsLog {
  readonly #run: Run;
  readonly #score: Score;
  readonly #steps: number;
  readonly #testSamples: number;
  readonly #testEvery: number;
  readonly #before: number;
  readonly #began = performance.now();
  // Sums since the last line.
  #loss: number;
  #evaluations: number;
  #unconverged: number;
  #count: number;

  constructor(run: Run, score: Score, testSamples: number, state: Checkpoint | null) {
    this.#run = run;
    this.#score = score;
    this.#testSamples = testSamples;
    this.#steps = run.config.training.steps;
    this.#testEvery = Math.max(METRICS_EVERY, Math.ceil(this.#steps / TESTS / METRICS_EVERY) * METRICS_EVERY);
    const sums = state?.sums.length ? state.sums : [0, 0, 0, 0];
    [this.#loss, this.#evaluations, this.#unconverged, this.#count] = sums;
    const step = state?.step ?? 0;
    run.truncateMetrics(this.#due(step) ? step - 1 : step);
    this.#before = run.metrics().at(-1)?.seconds ?? 0;
  }

  /** Whether a line ends with that step and is not written yet. */
  #due(step: number): boolean {
    return this.#count > 0 && (step % METRICS_EVERY === 0 || step === this.#steps);
  }

  /** Training time of the run, in seconds. */
  seconds(): number {
    return this.#before + (performance.now() - this.#began) / 1000;
  }

  /** What the next line is made of, for a checkpoint. */
  sums(): Float64Array {
    return Float64Array.of(this.#loss, this.#evaluations, this.#unconverged, this.#count);
  }

  add(result: StepResult): void {
    this.#loss += this.#score.perNat * result.loss;
    this.#evaluations += result.evaluations;
    this.#unconverged += result.unconverged;
    this.#count++;
  }

  /** Writes a line if one is due. An error in its test leaves it due. */
  async write(trainer: Trainer, onTest: (flow: Flow) => Promise<void>): Promise<void> {
    const { step, flow } = trainer;
    if (!this.#due(step)) return;
    const line = {
      step,
      loss: this.#loss / this.#count,
      evaluations: this.#evaluations / this.#count,
      unconverged: this.#unconverged,
      seconds: this.seconds(),
    };
    if (step % this.#testEvery === 0 && step < this.#steps) {
      flow.prepare();
      await trainer.withAverage(async () => {
        const failures = new FailedRows();
        const { loss } = await this.#score.measure(flow, this.#testSamples, failures);
        await onTest(flow);
        const test = Number.isFinite(loss) ? { testLoss: loss } : {};
        this.#run.appendMetrics({
          ...line,
          ...test,
          ...(failures.count > 0 ? { testFailed: failures.count } : {}),
        });
      });
    } else this.#run.appendMetrics(line);
    this.#loss = this.#evaluations = this.#unconverged = this.#count = 0;
  }
}

/** A checkpoint is good, and written, once a step from it has a finite loss. */
class CheckpointSaver {
  readonly #folder: string;
  readonly #identity: string;
  #pending: Checkpoint | null = null;
  #good: number | null;
  /** Whether a step from that one had a finite loss, as far as this process knows. */
  #proved = false;

  constructor(run: Run, state: Checkpoint | null) {
    this.#folder = run.file("checkpoint");
    this.#identity = run.identity;
    this.#good = state && state.step > 0 ? state.step : null;
  }

  hold(checkpoint: Checkpoint): void {
    this.#pending = checkpoint;
  }

  /** A step had a finite loss. */
  prove(): void {
    this.#proved = true;
  }

  save(): void {
    if (this.#pending === null) return;
    saveCheckpoint(this.#folder, this.#pending, this.#identity);
    this.#good = this.#pending.step;
    this.#pending = null;
  }

  /** What is lost if the process ends now. */
  unsaved(): string {
    return this.#good === null
      ? "all steps, as there is no checkpoint yet"
      : `the steps since the checkpoint of step ${this.#good}`;
  }

  lastGood(): string {
    if (this.#good === null) return "there is no checkpoint yet";
    if (!this.#proved) return `the checkpoint of step ${this.#good}, in ${this.#folder}, leads there at once`;
    return `the last good checkpoint is that of step ${this.#good}, in ${this.#folder}`;
  }
}

/**
 * Training in a run directory: from a fresh start or from a checkpoint to the model, with metrics, tests on the way
 * and checkpoints, so that a run that is interrupted or killed goes on bit for bit.
 */
import type { DataSource } from "../data/source.js";
import { check, FlowError } from "../errors.js";
import { writeFileAtomically } from "../flows/files.js";
import type { Flow } from "../flows/flow.js";
import type { FlowMaps, MapOptions } from "../flows/flow-maps.js";
import { saveFlow } from "../flows/model-files.js";
import { withRanks } from "../ranks/pool.js";
import { type Checkpoint, saveCheckpoint } from "./checkpoint.js";
import { bitsPerDimension, densities, type Evaluation, summarise } from "./evaluate.js";
import { type DataJob, dataSource } from "./job.js";
import { meanSquaredError } from "./regression.js";
import type { Run } from "./run.js";
import { train } from "./train.js";
import type { StepResult, Trainer } from "./trainer.js";

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

/** How a model is judged. */
export interface Score {
  readonly unit: string;
  /** How many of these units a nat of a sample is. */
  readonly perNat: number;
  /** The least loss that a model can have, where it is known. */
  readonly floor: number | null;
  /** The loss on the first `samples` of the test sample. */
  measure(flow: FlowMaps, samples: number): Promise<Evaluation>;
}

export interface RunOptions {
  /** The command that goes on with the run, named where it is stopped. */
  goOn: string;
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
  testLoss: number;
  standardError: number;
  unit: string;
  entropy: number | null;
  /** The test loss above the entropy. */
  gap: number | null;
  /** Median of this process; null if it did no step. */
  msPerStep: number | null;
  /** Training time, with that of the processes before. */
  seconds: number;
  unconverged: number;
  peakMemoryMB: number;
}

export interface RunResult {
  summary: RunSummary;
  test: Evaluation;
}

/** The mean of -log p over test samples: of images in bits per dimension, of others in nats. */
export function likelihood(source: DataSource, seed: number, options: MapOptions = {}): Score {
  const perNat = source.image ? bitsPerDimension(1, source.dim) : 1;
  return {
    unit: source.image ? "bits/dim" : "nats",
    perNat,
    floor: source.entropy,
    async measure(flow, samples) {
      const test = summarise(await densities(flow, source, seed, samples, options));
      return {
        rows: test.rows,
        loss: perNat * test.loss,
        standardError: perNat * test.standardError,
        losses: test.losses.map((loss) => perNat * loss),
      };
    },
  };
}

/**
 * Trains to the last step of the run's configuration, and leaves the model, `metrics.jsonl`, the last checkpoint and
 * `summary.json` (last) in its directory. SIGINT and SIGTERM stop it after a checkpoint, with an `internal` error that
 * names `goOn`. Throws a `numerical` error that names the last good checkpoint if the loss is no longer finite.
 */
export async function trainRun({ run, data, state }: RunJob, options: RunOptions): Promise<RunResult> {
  const { config } = run;
  const { steps, seed } = config.training;
  const source = await dataSource(data);
  const score = (config.training.objective === "regression" ? meanSquaredError : likelihood)(source, seed);
  run.truncateMetrics(state?.step ?? 0);
  const tested = source.image ? TEST_IMAGES : TEST_SAMPLES;
  const log = new MetricsLog(run, score, tested, state);
  const saver = new CheckpointSaver(run, state);
  const stepTimes: number[] = [];
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
  };
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  let stepBegan = performance.now();
  try {
    const job = { data, declaration: config.flow, options: config.training, state };
    const { trainer, stopped } = await train(job, config.threads, {
      async onStep(trainer, result) {
        stepTimes.push(performance.now() - stepBegan);
        const { step } = trainer;
        saver.save();
        options.onStep?.(step, score.perNat * result.loss);
        await log.add(trainer, result, (flow) => options.onTest?.(flow, step));
        if (step % config.checkpointEvery === 0 || step === steps || result.stop) {
          saver.hold({ ...trainer.state(), sums: log.sums() });
          if (result.stop) saver.save();
        }
        stepBegan = performance.now();
        return interrupted;
      },
    });
    if (stopped && trainer.step < steps)
      throw new FlowError("internal", `stopped at step ${trainer.step}; go on with: ${options.goOn}`);
    const { flow } = trainer;
    await trainer.finish();
    const ranks = config.threads;
    const test = await withRanks(flow, (pool) => score.measure(pool, testSamples), { ranks });
    check(Number.isFinite(test.loss), "numerical", `the test loss is ${test.loss} after step ${steps}`);
    saver.save();
    saveFlow(flow, run.path);
    stepTimes.sort((a, b) => a - b);
    const summary = {
      run: run.path,
      data: source.name,
      steps,
      testLoss: test.loss,
      standardError: test.standardError,
      unit: score.unit,
      entropy: score.floor,
      gap: score.floor === null ? null : test.loss - score.floor,
      msPerStep: stepTimes[stepTimes.length >> 1] ?? null,
      seconds: log.seconds(),
      unconverged: run.metrics().reduce((sum, m) => sum + m.unconverged, 0),
      peakMemoryMB: process.resourceUsage().maxRSS / 1024,
    };
    await options.onTrained?.(flow, { summary, test });
    writeFileAtomically(run.file("summary.json"), `${JSON.stringify(summary, null, 2)}\n`);
    return { summary, test };
  } catch (error) {
    if (!(error instanceof FlowError && error.code === "numerical")) throw error;
    throw new FlowError("numerical", `${error.message}; ${saver.lastGood()}`, { cause: error });
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

/** Writes `metrics.jsonl`: the means since the line before, and now and then a test. */
class MetricsLog {
  readonly #run: Run;
  readonly #score: Score;
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
    const { steps } = run.config.training;
    this.#testEvery = Math.max(METRICS_EVERY, Math.ceil(steps / TESTS / METRICS_EVERY) * METRICS_EVERY);
    this.#before = run.metrics().at(-1)?.seconds ?? 0;
    const sums = state?.sums.length ? state.sums : [0, 0, 0, 0];
    [this.#loss, this.#evaluations, this.#unconverged, this.#count] = sums;
  }

  /** Training time of the run, in seconds. */
  seconds(): number {
    return this.#before + (performance.now() - this.#began) / 1000;
  }

  /** What the next line is made of, for a checkpoint. */
  sums(): Float64Array {
    return Float64Array.of(this.#loss, this.#evaluations, this.#unconverged, this.#count);
  }

  async add(
    trainer: Trainer,
    result: StepResult,
    onTest: (flow: Flow) => Promise<void> | undefined,
  ): Promise<void> {
    const { step, flow } = trainer;
    const { steps } = this.#run.config.training;
    this.#loss += this.#score.perNat * result.loss;
    this.#evaluations += result.evaluations;
    this.#unconverged += result.unconverged;
    this.#count++;
    if (step % METRICS_EVERY !== 0 && step !== steps) return;
    const line = {
      step,
      loss: this.#loss / this.#count,
      evaluations: this.#evaluations / this.#count,
      unconverged: this.#unconverged,
      seconds: this.seconds(),
    };
    if (step % this.#testEvery === 0 && step < steps) {
      flow.prepare();
      await trainer.withAverage(async () => {
        const { loss } = await this.#score.measure(flow, this.#testSamples);
        this.#run.appendMetrics({ ...line, testLoss: loss });
        await onTest(flow);
      });
    } else this.#run.appendMetrics(line);
    this.#loss = this.#evaluations = this.#unconverged = this.#count = 0;
  }
}

/** A checkpoint is good, and written, once a step from it has a finite loss. */
class CheckpointSaver {
  readonly #folder: string;
  #pending: Checkpoint | null = null;
  #good: number | null;

  constructor(run: Run, state: Checkpoint | null) {
    this.#folder = run.file("checkpoint");
    this.#good = state && state.step > 0 ? state.step : null;
  }

  hold(checkpoint: Checkpoint): void {
    this.#pending = checkpoint;
  }

  save(): void {
    if (this.#pending === null) return;
    saveCheckpoint(this.#folder, this.#pending);
    this.#good = this.#pending.step;
    this.#pending = null;
  }

  lastGood(): string {
    return this.#good === null
      ? "there is no checkpoint yet"
      : `the last good checkpoint is that of step ${this.#good}, in ${this.#folder}`;
  }
}

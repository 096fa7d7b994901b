import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Command } from "commander";
import { check, FlowError } from "../errors.js";
import { type ResolvedData, reloadData, resolveData } from "../experiments/data.js";
import { defaultPreset, defaultSteps, preset, presets, testSamples } from "../experiments/presets.js";
import { monotoneFlow } from "../flows/declaration.js";
import { writeFileAtomically } from "../flows/files.js";
import { saveFlow } from "../flows/model-files.js";
import { type Checkpoint, loadCheckpoint, saveCheckpoint } from "../training/checkpoint.js";
import { type Evaluation, evaluate } from "../training/evaluate.js";
import { dataSource, type TrainingJob } from "../training/job.js";
import { RUN_FORMAT, Run, type RunConfig } from "../training/run.js";
import { train } from "../training/train.js";
import { integer, positive, threadCount } from "./options.js";
import { aligned, remark, report } from "./output.js";
import { duration, progress } from "./progress.js";

const { version } = createRequire(import.meta.url)("../../../package.json") as { version: string };

/** A line of metrics every so many steps, and a test of so many samples so many times a run. */
const METRICS_EVERY = 10;
const TESTS = 20;
const TEST_SAMPLES = 2_000;

interface TrainOptions {
  data?: string;
  columns?: string;
  preset?: string;
  steps?: string;
  batch?: string;
  seed?: string;
  learningRate?: string;
  threads?: string;
  checkpointEvery?: string;
  out?: string;
  resume?: string;
  json?: boolean;
}

export function trainCommand(program: Command): void {
  program
    .command("train")
    .description(
      "train a flow on 2-D data or on a table, and leave a model, numbers and pictures in a run directory",
    )
    .option(
      "--data <name|file>",
      "a toy density (2spirals, 8gaussians, checkerboard, circles, moons, pinwheel, rings, swissroll), or a CSV or NPY file of 1 to 16 numeric columns (default: 2spirals)",
    )
    .option("--columns <list>", "columns of the file to use, by name or number, separated by commas")
    .option(
      "--preset <name>",
      `model and schedule: ${Object.keys(presets).join(", ")} (default: ${defaultPreset})`,
    )
    .option("--steps <n>", `training steps (default: ${defaultSteps}; the original protocol has 50000)`)
    .option("--batch <n>", "samples a step (default: 500)")
    .option("--seed <n>", "seed of the weights and the samples (default: 0)")
    .option("--learning-rate <x>", "Adam's step size (default: 0.001)")
    .option("--threads <n>", "ranks that share the work (default: one a core)")
    .option("--checkpoint-every <n>", "steps between checkpoints (default: 500)")
    .option("--out <dir>", "the run directory (default: a new one in runs/)")
    .option(
      "--resume <dir>",
      "go on from the newest complete checkpoint of a run; only --steps and --threads may be changed",
    )
    .option("--json", "print one JSON object on stdout")
    .addHelpText(
      "after",
      `
Examples:
  $ monotone-flows train
  $ monotone-flows train --data pinwheel --steps 50000 --out runs/pinwheel
  $ monotone-flows train --data 8gaussians --preset i-densenet
  $ monotone-flows train --data wine.csv --columns alcohol,density,pH
  $ monotone-flows train --resume runs/pinwheel --steps 100000`,
    )
    .action(trainRun);
}

async function trainRun(options: TrainOptions): Promise<void> {
  const { run, data, state } = options.resume === undefined ? startRun(options) : resumeRun(options);
  const { config } = run;
  run.truncateMetrics(state?.step ?? 0);
  const job: TrainingJob = { data: data.job, declaration: config.flow, options: config.training, state };
  const source = dataSource(data.job);
  const { steps, seed } = config.training;
  const first = state?.step ?? 0;
  remark(
    `${first > 0 ? `Going on from step ${first}` : "Training"}: ${config.preset} on ${source.name}, ${steps} steps, ` +
      `${config.threads} ${config.threads === 1 ? "thread" : "threads"}, in ${run.path}`,
  );

  const before = run.metrics().at(-1)?.seconds ?? 0;
  const began = performance.now();
  const bar = progress(first, steps);
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
  };
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);

  const testEvery = Math.max(METRICS_EVERY, Math.ceil(steps / TESTS / METRICS_EVERY) * METRICS_EVERY);
  const tests = source.test(seed, TEST_SAMPLES);
  // Sums since the last line of metrics.
  let [lossSum, evaluationSum, unconverged, lossCount] = state?.sums.length ? state.sums : [0, 0, 0, 0];
  let good = first > 0 ? first : null;
  /** A checkpoint is good, and written, once a step from it has a finite loss. */
  let pending: Checkpoint | null = null;
  const save = () => {
    if (pending === null) return;
    saveCheckpoint(run.file("checkpoint"), pending);
    good = pending.step;
    pending = null;
  };
  const stepTimes: number[] = [];
  let stepBegan = performance.now();
  try {
    const { trainer, stopped } = await train(job, config.threads, {
      async onStep(trainer, result) {
        stepTimes.push(performance.now() - stepBegan);
        const { step, flow } = trainer;
        save();
        lossSum += result.loss;
        evaluationSum += result.evaluations;
        lossCount++;
        unconverged += result.unconverged;
        bar.update(step, result.loss);
        if (step % METRICS_EVERY === 0 || step === steps) {
          const seconds = before + (performance.now() - began) / 1000;
          const line = {
            step,
            loss: lossSum / lossCount,
            evaluations: evaluationSum / lossCount,
            unconverged,
            seconds,
          };
          if (step % testEvery === 0 && step < steps) {
            flow.prepare();
            run.appendMetrics({ ...line, testLoss: (await evaluate(flow, tests)).loss });
          } else run.appendMetrics(line);
          lossSum = evaluationSum = lossCount = unconverged = 0;
        }
        if (step % config.checkpointEvery === 0 || step === steps || result.stop) {
          const sums = Float64Array.of(lossSum, evaluationSum, unconverged, lossCount);
          pending = { ...trainer.state(), sums };
          if (result.stop) save();
        }
        stepBegan = performance.now();
        return interrupted;
      },
    });
    bar.end();
    if (stopped && trainer.step < steps) {
      throw new FlowError(
        "internal",
        `stopped at step ${trainer.step}; go on with: monotone-flows train --resume ${run.path}`,
      );
    }
    trainer.flow.settle();
    const test = await evaluate(trainer.flow, source.test(seed, testSamples));
    check(Number.isFinite(test.loss), "numerical", `the test loss is ${test.loss} after step ${steps}`);
    save();
    saveFlow(trainer.flow, run.path);
    const seconds = before + (performance.now() - began) / 1000;
    stepTimes.sort((a, b) => a - b);
    await summarise(run, trainer.flow, source, {
      test,
      seconds,
      msPerStep: stepTimes[stepTimes.length >> 1] ?? null,
      unconverged: run.metrics().reduce((sum, m) => sum + m.unconverged, 0),
      json: options.json,
    });
  } catch (error) {
    bar.end();
    if (error instanceof FlowError && error.code === "numerical") {
      const last = good
        ? `the last good checkpoint is that of step ${good}, in ${run.file("checkpoint")}`
        : "there is no checkpoint yet";
      throw new FlowError("numerical", `${error.message}; ${last}`, { cause: error });
    }
    throw error;
  }
}

interface Start {
  run: Run;
  data: ResolvedData;
  /** Where to go on from; null at the start. */
  state: Checkpoint | null;
}

function startRun(options: TrainOptions): Start {
  const name = options.preset ?? defaultPreset;
  const { flow, training } = preset(name);
  const seed = integer("--seed", options.seed ?? "0", 0);
  const config = {
    steps: integer("--steps", options.steps ?? String(defaultSteps), 1),
    batch: integer("--batch", options.batch ?? String(training.batch), 1),
    learningRate: positive("--learning-rate", options.learningRate ?? String(training.learningRate)),
    l2: training.l2,
    seed,
  };
  check(config.batch <= 1_000_000, "usage", `--batch must be at most 1000000, not ${config.batch}`);
  const threads = Math.min(threadCount(options.threads), config.batch);
  const checkpointEvery = integer("--checkpoint-every", options.checkpointEvery ?? "500", 1);
  const data = resolveData(
    options.data ?? "2spirals",
    seed,
    options.columns?.split(",").map((c) => c.trim()),
  );
  const declaration = monotoneFlow({
    ...flow,
    dim: data.dim,
    ...(data.standardisation ? { standardisation: data.standardisation } : {}),
  });
  const runConfig: RunConfig = {
    format: RUN_FORMAT,
    version,
    preset: name,
    data: data.config,
    training: config,
    threads,
    checkpointEvery,
    flow: declaration,
  };
  return { run: Run.create(options.out ?? freshFolder(data.job.name, name), runConfig), data, state: null };
}

/** runs/<data>-<preset>, with a number where that is taken. */
function freshFolder(data: string, presetName: string): string {
  const base = join("runs", `${data.replace(/\.(csv|npy|gz|tsv|txt)/g, "")}-${presetName}`);
  for (let n = 1; ; n++) {
    const folder = n === 1 ? base : `${base}-${n}`;
    if (!existsSync(folder)) return folder;
  }
}

function resumeRun(options: TrainOptions): Start {
  const fixed = [
    "data",
    "columns",
    "preset",
    "batch",
    "seed",
    "learningRate",
    "checkpointEvery",
    "out",
  ] as const;
  const given = fixed.find((name) => options[name] !== undefined);
  check(
    given === undefined,
    "usage",
    `--resume goes on as the run was started; --${given?.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)} cannot be changed`,
  );
  const run = Run.open(options.resume as string);
  const { config } = run;
  const state = loadCheckpoint(run.file("checkpoint"));
  const done = state?.step ?? 0;
  const model = run.summary();
  if (options.steps !== undefined) config.training.steps = integer("--steps", options.steps, 1);
  const { steps } = config.training;
  check(steps >= done, "usage", `--steps ${steps} is less than the ${done} steps that ${run.path} has done`);
  check(
    steps > done || model?.steps !== steps,
    "usage",
    `${run.path} has all its ${steps} steps; ask for more with --steps`,
  );
  check(state !== null || model === null, "run", `${run.path} has a model but no checkpoint to go on from`);
  if (options.threads !== undefined)
    config.threads = Math.min(threadCount(options.threads), config.training.batch);
  const data = reloadData(config.data, config.training.seed);
  if (options.steps !== undefined || options.threads !== undefined) run.writeConfig();
  run.sweep();
  return { run, data, state };
}

interface Outcome {
  test: Evaluation;
  seconds: number;
  msPerStep: number | null;
  unconverged: number;
  json: boolean | undefined;
}

/** Test loss, pictures, summary.json, and the words at the end. */
async function summarise(
  run: Run,
  flow: Parameters<typeof saveFlow>[0],
  source: ReturnType<typeof dataSource>,
  outcome: Outcome,
): Promise<void> {
  const { training, preset: presetName } = run.config;
  const { test } = outcome;
  const gap = source.entropy === null ? null : test.loss - source.entropy;
  const summary = {
    run: run.path,
    data: source.name,
    steps: training.steps,
    testLoss: test.loss,
    standardError: test.standardError,
    unit: "nats",
    entropy: source.entropy,
    gap,
    msPerStep: outcome.msPerStep,
    seconds: outcome.seconds,
    unconverged: outcome.unconverged,
    peakMemoryMB: process.resourceUsage().maxRSS / 1024,
  };
  // The plotting libraries are loaded only now: training needs none of their memory.
  const { densityPicture, lossPicture } = await import("../experiments/figures.js");
  const { writePicture } = await import("../plots/index.js");
  const title = `${presetName} on ${source.name}`;
  const floor = gap === null ? "" : `, ${gap.toFixed(3)} above the entropy`;
  const caption = `${title}: ${training.steps} steps, test loss ${test.loss.toFixed(3)} nats${floor}`;
  writePicture(await densityPicture(flow, source, training.seed, caption), run.file("figures", "density"));
  writePicture(lossPicture(run.metrics(), source.entropy, title), run.file("figures", "loss"));
  writeFileAtomically(run.file("summary.json"), `${JSON.stringify(summary, null, 2)}\n`);

  const nats = (x: number) => `${x.toFixed(4)} nats`;
  const lines = aligned([
    ["test loss", `${nats(test.loss)} ± ${test.standardError.toFixed(4)} (${test.rows} samples)`],
    ...(source.entropy === null
      ? []
      : ([
          ["entropy", nats(source.entropy)],
          ["gap", nats(gap as number)],
        ] as const)),
    ["time", `${duration(outcome.seconds)}, ${outcome.msPerStep?.toFixed(1) ?? "-"} ms a step`],
    ["run", run.path],
    ["pictures", run.file("figures")],
  ]);
  if (outcome.unconverged > 0)
    lines.push(`${outcome.unconverged} solves missed their tolerance; see metrics.jsonl`);
  report(outcome.json, summary, lines);
}

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import type { DataSource } from "../data/source.js";
import { check } from "../errors.js";
import { reloadData, resolveData } from "../experiments/data.js";
import { defaultPreset, defaultSteps, preset, presets } from "../experiments/presets.js";
import { monotoneFlow } from "../flows/declaration.js";
import type { Flow } from "../flows/flow.js";
import { version } from "../package.js";
import { loadCheckpoint } from "../training/checkpoint.js";
import { dataSource } from "../training/job.js";
import { RUN_FORMAT, Run, type RunConfig } from "../training/run.js";
import { type RunJob, type RunResult, type RunSummary, trainRun } from "../training/train-run.js";
import { integer, positive, threadCount } from "./options.js";
import { aligned, remark, report } from "./output.js";
import { duration, progress } from "./progress.js";

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
    .action(trainAction);
}

async function trainAction(options: TrainOptions): Promise<void> {
  const start = options.resume === undefined ? startRun(options) : resumeRun(options);
  const { run, state } = start;
  const { config } = run;
  const source = dataSource(start.data);
  const { steps } = config.training;
  const first = state?.step ?? 0;
  remark(
    `${first > 0 ? `Going on from step ${first}` : "Training"}: ${config.preset} on ${source.name}, ${steps} steps, ` +
      `${config.threads} ${config.threads === 1 ? "thread" : "threads"}, in ${run.path}`,
  );
  const bar = progress(first, steps);
  try {
    const result = await trainRun(start, {
      goOn: `monotone-flows train --resume ${run.path}`,
      onStep: bar.update,
      onTrained: async (flow, { summary }) => {
        bar.end();
        await drawPictures(run, flow, source, summary);
      },
    });
    report(options.json, result.summary, inWords(run, result));
  } finally {
    bar.end();
  }
}

function startRun(options: TrainOptions): RunJob {
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
  const run = Run.create(options.out ?? freshFolder(dataSource(data.job).name, name), runConfig);
  return { run, data: data.job, state: null };
}

/** runs/<data>-<preset>, with a number where that is taken. */
function freshFolder(data: string, presetName: string): string {
  const base = join("runs", `${data.replace(/\.(csv|npy|gz|tsv|txt)/g, "")}-${presetName}`);
  for (let n = 1; ; n++) {
    const folder = n === 1 ? base : `${base}-${n}`;
    if (!existsSync(folder)) return folder;
  }
}

function resumeRun(options: TrainOptions): RunJob {
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
  const data = reloadData(config.data, config.training.seed, run.path);
  if (options.steps !== undefined || options.threads !== undefined) run.writeConfig();
  run.sweep();
  return { run, data: data.job, state };
}

/** The density or the samples beside the data, and the loss curve. */
async function drawPictures(run: Run, flow: Flow, source: DataSource, summary: RunSummary): Promise<void> {
  const { training, preset: presetName } = run.config;
  // The plotting libraries are loaded only now: training needs none of their memory.
  const { densityPicture, lossPicture } = await import("../experiments/figures.js");
  const { writePicture } = await import("../plots/index.js");
  const title = `${presetName} on ${source.name}`;
  const floor = summary.gap === null ? "" : `, ${summary.gap.toFixed(3)} above the entropy`;
  const caption = `${title}: ${training.steps} steps, test loss ${summary.testLoss.toFixed(3)} nats${floor}`;
  writePicture(await densityPicture(flow, source, training.seed, caption), run.file("figures", "density"));
  writePicture(lossPicture(run.metrics(), source.entropy, title), run.file("figures", "loss"));
}

function inWords(run: Run, { summary, test }: RunResult): string[] {
  const nats = (x: number) => `${x.toFixed(4)} nats`;
  const { entropy, gap, unconverged } = summary;
  const lines = aligned([
    ["test loss", `${nats(test.loss)} ± ${test.standardError.toFixed(4)} (${test.rows} samples)`],
    ...(entropy === null
      ? []
      : ([
          ["entropy", nats(entropy)],
          ["gap", nats(gap as number)],
        ] as const)),
    ["time", `${duration(summary.seconds)}, ${summary.msPerStep?.toFixed(1) ?? "-"} ms a step`],
    ["run", run.path],
    ["pictures", run.file("figures")],
  ]);
  if (unconverged > 0) lines.push(`${unconverged} solves missed their tolerance; see metrics.jsonl`);
  return lines;
}

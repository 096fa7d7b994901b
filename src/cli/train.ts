import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import type { DataSource } from "../data/source.js";
import { check, quoted } from "../errors.js";
import { judgeCost } from "../flows/cost.js";
import { type FlowDeclaration, monotoneFlow } from "../flows/declaration.js";
import { type Flow, samplesAPass } from "../flows/flow.js";
import { imageFlow } from "../flows/image-flow.js";
import { version } from "../manifest.js";
import { looksLikeImages, type ResolvedData, reloadData, resolveData } from "../presets/data.js";
import { imagePresetFor, imagePresets, imageSizes, studiedData } from "../presets/image-presets.js";
import { defaultPreset, defaultSteps, preset, presets } from "../presets/presets.js";
import { findCheckpoint } from "../runs/checkpoint.js";
import { MOST_BATCH, MOST_STEPS, RUN_FORMAT, Run, type RunConfig } from "../runs/run.js";
import { likelihood } from "../runs/score.js";
import { type RunJob, type RunResult, type RunSummary, trainRun } from "../runs/train-run.js";
import { dataSource } from "../training/job.js";
import { meanInWords } from "../training/mean-in-words.js";
import type { TrainingOptions } from "../training/trainer.js";
import { flagOf } from "./advice.js";
import { integer, positive, threadCount } from "./options.js";
import { aligned, remark, report, requireAll } from "./output.js";
import { duration, progress } from "./progress.js";

interface TrainOptions {
  data?: string;
  dataDir?: string;
  columns?: string;
  dequantization?: string;
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
      "a toy density (2spirals, 8gaussians, checkerboard, circles, moons, pinwheel, rings, swissroll), a CSV or NPY file of 1 to 16 numeric columns, images (digits, mnist, fashion-mnist, cifar10, imagenet32, imagenet64), or a folder of PNG or JPEG files (default: 2spirals)",
    )
    .option("--data-dir <dir>", "the folder with the files of mnist, fashion-mnist, cifar10 or imagenet")
    .option("--columns <list>", "columns of the file to use, by name or number, separated by commas")
    .option(
      "--preset <name>",
      `model and schedule: monotone or i-densenet (default: ${defaultPreset}); of images ${imageSizes.join(", ")}, each also with -i-densenet or -residual-flow (default: that of the data). With -original as the original study's code has it (docs/presets.md): monotone, i-densenet, ${studiedData.join(", ")}, and these with -i-densenet`,
    )
    .option(
      "--dequantization <kind>",
      "noise on the pixels of images: uniform, or variational, which is learned with the flow (default: uniform)",
    )
    .option(
      "--steps <n>",
      `training steps (default: ${defaultSteps}, with -original 50000; of images what the preset says)`,
    )
    .option("--batch <n>", "samples a step (default: 500, of images 64 or what the preset says)")
    .option("--seed <n>", "seed of the weights and the samples (default: 0)")
    .option("--learning-rate <x>", "Adam's step size (default: that of the preset)")
    .option("--threads <n>", "ranks that share the work (default: one a core)")
    .option(
      "--checkpoint-every <n>",
      "steps between checkpoints (default: 500, of images what the preset says)",
    )
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
  $ monotone-flows train --data rings --preset monotone-original
  $ monotone-flows train --data wine.csv --columns alcohol,density,pH
  $ monotone-flows train --data digits
  $ monotone-flows train --data digits --dequantization variational
  $ monotone-flows train --data mnist --data-dir ~/mnist --preset mnist-small-i-densenet --steps 2000
  $ monotone-flows train --data photographs/ --steps 5000
  $ monotone-flows train --resume runs/pinwheel --steps 100000`,
    )
    .action(trainAction);
}

async function trainAction(options: TrainOptions): Promise<void> {
  const start = await (options.resume === undefined ? startRun(options) : resumeRun(options));
  const { run, state } = start;
  const { config } = run;
  const source = await dataSource(start.data);
  const { steps, batch } = config.training;
  const first = state?.step ?? 0;
  remark(
    `${first > 0 ? `Going on from step ${first}` : "Training"}: ${modelOn(config.preset, source.name)}, ${steps} steps, ` +
      `${config.threads} ${config.threads === 1 ? "thread" : "threads"}, in ${run.path}`,
  );
  const { unit } = likelihood(source, config.training.seed);
  const bar = progress(first, steps, unit, source.image ? batch : null);
  let missing = "";
  try {
    const result = await trainRun(start, {
      goOn: `monotone-flows train --resume ${run.path}`,
      onStep: bar.update,
      onInterrupt: bar.endWith,
      onTest: async (flow, step) => {
        if (!source.image) return;
        const { writeSamples } = await import("../runs/image-figures.js");
        await writeSamples(
          flow,
          config.training.seed,
          run.file("figures", `samples-step-${step}`),
          `step ${step}`,
        );
      },
      onTrained: async (flow, { summary }) => {
        bar.end();
        missing = await drawPictures(run, flow, source, summary);
      },
    });
    report(options.json, result.summary, inWords(run, result));
    requireAll(result.failures, "test sample", run.path);
    const { testOutside, testRows } = result.summary;
    check(
      testOutside === 0,
      "numerical",
      `${testOutside} of ${testRows} test samples lie outside of the model's support: their mean loss is infinite`,
    );
    check(missing === "", "numerical", `the pictures are not complete: ${missing}`);
  } finally {
    bar.end();
  }
}

/** What a preset says of the data at hand. */
interface Plan {
  declaration: FlowDeclaration;
  training: Omit<TrainingOptions, "seed" | "steps">;
  steps: number;
  checkpointEvery: number;
}

function planOf(name: string, data: ResolvedData, dequantization: string | undefined): Plan {
  check(
    dequantization === undefined || dequantization === "uniform" || dequantization === "variational",
    "usage",
    `--dequantization must be uniform or variational, not ${quoted(dequantization)}`,
  );
  if (!data.image) {
    check(dequantization === undefined, "usage", "--dequantization is for images: other data have no pixels");
    check(
      !Object.hasOwn(imagePresets, name),
      "usage",
      `the preset ${name} is for images; choose one of ${Object.keys(presets).join(", ")}`,
    );
    const { flow, training, steps = defaultSteps } = preset(name);
    const { dim, standardisation } = data;
    const declaration = monotoneFlow({ ...flow, dim, ...(standardisation ? { standardisation } : {}) });
    return { declaration, training, steps, checkpointEvery: 500 };
  }
  const found = Object.hasOwn(imagePresets, name) ? imagePresets[name] : undefined;
  check(
    found !== undefined,
    "usage",
    `unknown preset ${quoted(name)} for images; choose one of ${Object.keys(imagePresets).join(", ")}`,
  );
  const { flow, training, steps, checkpointEvery } = found;
  const { shape, levels } = data.image;
  return {
    declaration: imageFlow({ ...flow, ...shape, levels, ...(dequantization ? { dequantization } : {}) }),
    training,
    steps,
    checkpointEvery,
  };
}

async function startRun(options: TrainOptions): Promise<RunJob> {
  const named = options.data ?? "2spirals";
  const images = looksLikeImages(named);
  const name = options.preset ?? (images ? imagePresetFor(named) : defaultPreset);
  const seed = integer("--seed", options.seed ?? "0", 0);
  const columns = options.columns?.split(",").map((c) => c.trim());
  const flips = Object.hasOwn(imagePresets, name) && imagePresets[name].flips;
  const data = await resolveData(named, seed, columns, { dataDir: options.dataDir, flips });
  for (const sentence of data.remarks ?? []) remark(sentence);
  const plan = planOf(name, data, options.dequantization);
  const { training } = plan;
  const config = {
    ...training,
    steps: integer("--steps", options.steps ?? String(plan.steps), 1),
    batch: integer("--batch", options.batch ?? String(training.batch), 1),
    learningRate: positive("--learning-rate", options.learningRate ?? String(training.learningRate)),
    seed,
    schedule: training.schedule?.map((change) => ({ ...change })),
  };
  check(config.batch <= MOST_BATCH, "usage", `--batch must be at most ${MOST_BATCH}, not ${config.batch}`);
  check(config.steps <= MOST_STEPS, "usage", `--steps must be at most ${MOST_STEPS}, not ${config.steps}`);
  judgeCost(
    plan.declaration,
    samplesAPass(plan.declaration),
    `--batch ${config.batch}`,
    "usage",
    config.batch,
  );
  const threads = Math.min(threadCount(options.threads), config.batch);
  const checkpointEvery = integer(
    "--checkpoint-every",
    options.checkpointEvery ?? String(plan.checkpointEvery),
    1,
  );
  const runConfig: RunConfig = {
    format: RUN_FORMAT,
    version,
    preset: name,
    data: data.config,
    training: config,
    threads,
    checkpointEvery,
    flow: plan.declaration,
  };
  const run = Run.create(options.out ?? freshFolder((await dataSource(data.job)).name, name), runConfig);
  return { run, data: data.job, state: null };
}

/** runs/<data>-<preset>, with a number where that is taken; a preset that has the name of the data says it once. */
function freshFolder(data: string, presetName: string): string {
  const stem = data.replace(/\.(csv|npy|gz|tsv|txt)/g, "");
  const base = join("runs", presetName.startsWith(stem) ? presetName : `${stem}-${presetName}`);
  for (let n = 1; ; n++) {
    const folder = n === 1 ? base : `${base}-${n}`;
    if (!existsSync(folder)) return folder;
  }
}

async function resumeRun(options: TrainOptions): Promise<RunJob> {
  const fixed = [
    "data",
    "dataDir",
    "columns",
    "dequantization",
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
    `--resume goes on as the run was started; ${flagOf(given ?? "")} cannot be changed`,
  );
  const run = Run.open(options.resume as string);
  run.lock();
  const { config } = run;
  check(
    config.origin === undefined,
    "usage",
    `${run.path} was imported, without the state of its training; it can be evaluated, sampled and exported`,
  );
  const found = findCheckpoint(run.file("checkpoint"), run);
  const state = found?.checkpoint ?? null;
  const done = state?.step ?? 0;
  const model = run.summary();
  if (options.steps !== undefined) config.training.steps = integer("--steps", options.steps, 1);
  check(
    config.training.steps <= MOST_STEPS,
    "usage",
    `--steps must be at most ${MOST_STEPS}, not ${config.training.steps}`,
  );
  judgeCost(config.flow, samplesAPass(config.flow), run.file("config.json"), "run", config.training.batch);
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
  const data = await reloadData(config.data, config.training.seed, run.path);
  if (options.steps !== undefined || options.threads !== undefined) run.writeConfig();
  run.removeLeftovers();
  for (const sentence of found?.damage ?? []) remark(`Passed over: ${sentence}`);
  const unguarded = run.remark();
  if (unguarded !== null) remark(unguarded);
  return { run, data: data.job, state };
}

/** A preset that has the name of the data says it once. */
const modelOn = (presetName: string, data: string) =>
  presetName === data ? presetName : `${presetName} on ${data}`;

/** The density or the samples beside the data, and the loss curve. Returns in words what they lack, if anything. */
async function drawPictures(run: Run, flow: Flow, source: DataSource, summary: RunSummary): Promise<string> {
  const { training, preset: presetName } = run.config;
  // The plotting libraries are loaded only now: training needs none of their memory.
  const { densityPicture, lossPicture } = await import("../runs/figures.js");
  const { writePicture } = await import("../plots/index.js");
  const title = modelOn(presetName, source.name);
  if (source.image) {
    const { writeSamples } = await import("../runs/image-figures.js");
    const caption = `${training.steps} steps, ${lossOf(summary)}`;
    writePicture(lossPicture(run.metrics(), null, title, summary.unit), run.file("figures", "loss"));
    return await writeSamples(flow, training.seed, run.file("figures", "samples"), title, caption);
  }
  const floor = summary.gap === null ? "" : `, ${summary.gap.toFixed(3)} above the entropy`;
  const caption = `${title}: ${training.steps} steps, ${lossOf(summary)}${floor}`;
  const { picture, missing } = await densityPicture(flow, source, training.seed, caption);
  writePicture(picture, run.file("figures", "density"));
  writePicture(lossPicture(run.metrics(), source.entropy, title), run.file("figures", "loss"));
  return missing;
}

const lossOf = ({ testLoss, unit }: RunSummary) =>
  testLoss === null ? "test loss not known" : `test loss ${testLoss.toFixed(3)} ${unit}`;

function inWords(run: Run, { summary, test }: RunResult): string[] {
  const { entropy, gap, unconverged, unit } = summary;
  const nats = (x: number) => `${x.toFixed(4)} ${unit}`;
  const lines = aligned([
    ["test loss", `${meanInWords(test.loss, test.standardError, unit, test.rows)} (${test.rows} samples)`],
    ...(entropy === null ? [] : ([["entropy", nats(entropy)]] as const)),
    ...(gap === null ? [] : ([["gap", nats(gap)]] as const)),
    ["time", `${duration(summary.seconds)}, ${summary.msPerStep?.toFixed(1) ?? "-"} ms a step`],
    ["run", run.path],
    ["pictures", run.file("figures")],
  ]);
  if (unconverged > 0)
    lines.push(`${unconverged} solves of training steps missed their tolerance; see metrics.jsonl`);
  const tests = run.metrics().filter(({ testFailed }) => testFailed !== undefined);
  if (tests.length > 0) {
    lines.push(
      `${tests.length} of the tests on the way have no number, as samples failed; the first at step ${tests[0].step}`,
    );
  }
  return lines;
}

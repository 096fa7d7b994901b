import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Command, Option } from "@commander-js/extra-typings";
import { z } from "zod";
import { baseNames } from "../bases/index.js";
import type { DataSource } from "../data/source.js";
import { check, quoted } from "../errors.js";
import { judgeCost } from "../flows/cost.js";
import type { FlowDeclaration } from "../flows/declaration.js";
import { type Flow, samplesAPass } from "../flows/flow.js";
import { imageFlow, imageFlowSchema } from "../flows/image-flow.js";
import { flowSchema, monotoneFlow } from "../flows/monotone-flow.js";
import { version } from "../manifest.js";
import { networkSchema } from "../networks/declaration.js";
import { option } from "../options.js";
import { looksLikeImages, type ResolvedData, reloadData, resolveData } from "../presets/data.js";
import { imagePresetFor, imagePresets, imageSizes, studiedData } from "../presets/image-presets.js";
import { defaultPreset, defaultSteps, preset, presets } from "../presets/presets.js";
import { findCheckpoint } from "../runs/checkpoint.js";
import { RUN_FORMAT, Run, type RunConfig, runOptions } from "../runs/run.js";
import { likelihood } from "../runs/score.js";
import { type RunJob, type RunResult, type RunSummary, trainRun } from "../runs/train-run.js";
import { dataSource } from "../training/job.js";
import { meanInWords } from "../training/mean-in-words.js";
import { type TrainingOptions, trainingSchema } from "../training/options.js";
import { common, rankCount, schemaOption } from "./options.js";
import { aligned, remark, report, requireAll } from "./output.js";
import { duration, progress } from "./progress.js";

const { steps, batch, learningRate, l2 } = trainingSchema.shape;
const { depth, growth, activation, coeff, lip } = networkSchema.shape;
const base = option(z.enum(baseNames), "density of the latents", { absent: "normal" });
/** Steps between checkpoints of tables and 2-D data. */
const CHECKPOINT_EVERY = 500;
const OF_PRESET = { standard: "that of the preset" };
/** What a run that goes on takes from its start. */
const FIXED = [
  "data",
  "dataDir",
  "columns",
  "preset",
  "blocks",
  "depth",
  "growth",
  "activation",
  "coeff",
  "lip",
  "base",
  "dequantization",
  "batch",
  "seed",
  "learningRate",
  "l2",
  "checkpointEvery",
  "out",
];

const trainOptions = (program: Command) =>
  program
    .command("train")
    .description(
      "train a flow on 2-D data or on a table, and leave a model, numbers and pictures in a run directory",
    )
    .option(
      "--data <name|file>",
      "a toy density (2spirals, 8gaussians, checkerboard, circles, moons, pinwheel, rings, swissroll), a CSV or NPY file of 1 to 16 numeric columns, images (digits, mnist, fashion-mnist, cifar10, imagenet32, imagenet64), or a folder of PNG or JPEG files",
      "2spirals",
    )
    .option("--data-dir <dir>", "the folder with the files of mnist, fashion-mnist, cifar10 or imagenet")
    .option(...common.columns)
    .option(
      "--preset <name>",
      `model and schedule: monotone or i-densenet (default: ${defaultPreset}); of images ${imageSizes.join(", ")}, each also with -i-densenet or -residual-flow (default: that of the data). With -original as the original study's code has it (docs/presets.md): monotone, i-densenet, ${studiedData.join(", ")}, and these with -i-densenet`,
    )
    .addOption(
      schemaOption("--blocks <n>", flowSchema.shape.blocks.unwrap(), {
        sentence: "number of blocks, not of images",
        ...OF_PRESET,
      }),
    )
    .addOption(schemaOption("--depth <n>", depth, OF_PRESET))
    .addOption(schemaOption("--growth <n>", growth, OF_PRESET))
    .addOption(schemaOption("--activation <name>", activation, OF_PRESET))
    .addOption(schemaOption("--coeff <x>", coeff, OF_PRESET))
    .addOption(schemaOption("--lip <x>", lip, OF_PRESET))
    .addOption(schemaOption("--base <kind>", base))
    .addOption(
      schemaOption("--dequantization <kind>", imageFlowSchema.shape.dequantization.unwrap(), OF_PRESET),
    )
    .addOption(
      schemaOption("--steps <n>", steps, {
        standard: `${defaultSteps}, with -original 50000; of images what the preset says`,
      }),
    )
    .addOption(schemaOption("--batch <n>", batch, OF_PRESET))
    .addOption(common.seed("weights and the samples"))
    .addOption(schemaOption("--learning-rate <x>", learningRate, OF_PRESET))
    .addOption(schemaOption("--l2 <x>", l2, OF_PRESET))
    .addOption(common.threads)
    .addOption(
      schemaOption("--checkpoint-every <n>", runOptions.checkpointEvery, {
        standard: `${CHECKPOINT_EVERY}, of images what the preset says`,
      }),
    )
    .option("--out <dir>", "the run directory (default: a new one in runs/)")
    .addOption(
      new Option(
        "--resume <dir>",
        "go on from the newest complete checkpoint of a run; only --steps and --threads may be changed",
      ).conflicts(FIXED),
    )
    .option(...common.json);

type TrainOptions = ReturnType<ReturnType<typeof trainOptions>["opts"]>;

export function trainCommand(program: Command): void {
  trainOptions(program)
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
  const start = await (options.resume === undefined ? startRun(options) : resumeRun(options.resume, options));
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

/** What a preset and the options say of the data at hand. */
interface Plan {
  declaration: FlowDeclaration;
  training: Omit<TrainingOptions, "seed" | "steps">;
  steps: number;
  checkpointEvery: number;
}

function planOf(name: string, data: ResolvedData, options: TrainOptions): Plan {
  const { dequantization, blocks } = options;
  const network = given(options, ["depth", "growth", "activation", "coeff", "lip"]);
  const latents = options.base ? { base: { kind: options.base } } : {};
  if (!data.image) {
    check(dequantization === undefined, "usage", "--dequantization is for images: other data have no pixels");
    check(
      !Object.hasOwn(imagePresets, name),
      "usage",
      `the preset ${name} is for images; choose one of ${Object.keys(presets).join(", ")}`,
    );
    const { flow, training, steps = defaultSteps } = preset(name);
    const { dim, standardisation } = data;
    const own = { ...network, ...latents, ...given(options, ["blocks"]), dim };
    const declaration = monotoneFlow({ ...flow, ...own, ...(standardisation ? { standardisation } : {}) });
    return { declaration, training, steps, checkpointEvery: CHECKPOINT_EVERY };
  }
  const found = Object.hasOwn(imagePresets, name) ? imagePresets[name] : undefined;
  check(
    found !== undefined,
    "usage",
    `unknown preset ${quoted(name)} for images; choose one of ${Object.keys(imagePresets).join(", ")}`,
  );
  check(blocks === undefined, "usage", "--blocks is for tables: images have some of each scale");
  const { flow, training, steps, checkpointEvery } = found;
  const { shape, levels } = data.image;
  const noise = dequantization ? { dequantization } : {};
  const declaration = imageFlow({ ...flow, ...network, ...latents, ...noise, ...shape, levels });
  return { declaration, training, steps, checkpointEvery };
}

/** Those of the named options that were given. */
function given<Name extends keyof TrainOptions>(
  options: TrainOptions,
  names: readonly Name[],
): { [Key in Name]?: NonNullable<TrainOptions[Key]> } {
  return Object.fromEntries(
    names.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])),
  ) as { [Key in Name]?: NonNullable<TrainOptions[Key]> };
}

async function startRun(options: TrainOptions): Promise<RunJob> {
  const { data: named, columns, seed, dataDir } = options;
  const images = looksLikeImages(named);
  const name = options.preset ?? (images ? imagePresetFor(named) : defaultPreset);
  const flips = Object.hasOwn(imagePresets, name) && imagePresets[name].flips;
  const data = await resolveData(named, seed, columns, { dataDir, flips });
  for (const sentence of data.remarks ?? []) remark(sentence);
  const plan = planOf(name, data, options);
  const training = {
    ...plan.training,
    steps: options.steps ?? plan.steps,
    seed,
    ...given(options, ["batch", "learningRate", "l2"]),
  };
  const { batch } = training;
  judgeCost(plan.declaration, samplesAPass(plan.declaration), `--batch ${batch}`, "usage", batch);
  const runConfig: RunConfig = {
    format: RUN_FORMAT,
    version,
    preset: name,
    data: data.config,
    training,
    threads: Math.min(rankCount(options.threads), batch),
    checkpointEvery: options.checkpointEvery ?? plan.checkpointEvery,
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

async function resumeRun(path: string, options: TrainOptions): Promise<RunJob> {
  const run = Run.open(path);
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
  config.training = { ...config.training, ...given(options, ["steps"]) };
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
    config.threads = Math.min(rankCount(options.threads), config.training.batch);
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

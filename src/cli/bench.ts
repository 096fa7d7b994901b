import { type Command, Option } from "@commander-js/extra-typings";
import { z } from "zod";
import { benchImages, compareImages, comparisonReport } from "../../bench/images.js";
import { benchKernels, kernelReport } from "../../bench/kernels.js";
import { benchProfile, profileReport } from "../../bench/profile.js";
import {
  benchSolvers,
  benchSolversOf,
  type SolverBenchmark,
  type SolverBenchmarkOptions,
  solverReport,
} from "../../bench/solvers.js";
import { benchTraining } from "../../bench/training.js";
import { check, quoted } from "../errors.js";
import { option, optionValue } from "../options.js";
import { defaultPreset } from "../presets/presets.js";
import { threads } from "../ranks/options.js";
import { trainingSchema } from "../training/options.js";
import { common, rankCount, schemaOption, wholeOption } from "./options.js";
import { report } from "./output.js";
import { openCertified, trainingSource } from "./run-model.js";

const { batch } = trainingSchema.shape;
const positive = z.number().positive();

const examples = `
Examples:
  $ monotone-flows bench training
  $ monotone-flows bench training --threads 1 --json
  $ monotone-flows bench kernels
  $ monotone-flows bench solvers
  $ monotone-flows bench profile
  $ monotone-flows bench images`;

export function benchCommand(program: Command): void {
  const bench = program.command("bench").description("measure this machine").addHelpText("after", examples);
  bench
    .command("training", { isDefault: true })
    .description("milliseconds a training step of a preset takes (median after a warm-up)")
    .option("--preset <name>", "the preset", defaultPreset)
    .addOption(common.threads)
    .addOption(schemaOption("--steps <n>", wholeOption("steps to measure").default(200)))
    .addOption(common.seed("weights and the samples"))
    .option(
      "--targets <list>",
      "stop at the last of these test losses, and report the seconds to each",
      (text) => text.split(",").map((target) => optionValue(positive, Number(target), "--targets", target)),
    )
    .option(...common.json)
    .allowExcessArguments()
    .addHelpText("after", examples)
    .action(async (options, self) => {
      const [other] = self.args;
      check(
        other === undefined,
        "usage",
        `there is no benchmark ${quoted(other)}; known are training, images, kernels, solvers and profile`,
      );
      const { preset, steps, seed, targets = [] } = options;
      const result = await benchTraining(preset, rankCount(options.threads), steps, { seed, targets });
      report(options.json, { ...result, peers: [] }, [
        `${result.preset}, ${result.threads} ${result.threads === 1 ? "thread" : "threads"}: ${result.msPerStep.toFixed(2)} ms a step ` +
          `(median of ${result.steps}; ${result.fastest.toFixed(2)} to ${result.slowest.toFixed(2)})`,
        `${result.evaluations.toFixed(2)} network evaluations a solve, ${result.peakMemoryMB.toFixed(0)} MB at most, ` +
          `test loss ${result.testLoss.toFixed(3)} nats`,
        ...Object.entries(result.secondsTo).map(([t, s]) => `${s?.toFixed(1) ?? "-"} s to ${t} nats`),
      ]);
    });
  bench
    .command("kernels")
    .description(
      "GFLOP/s of the matrix kernels beside this machine's peak, and nanoseconds an element of the pointwise ones",
    )
    .option(...common.json)
    .addHelpText("after", "\nExamples:\n  $ monotone-flows bench kernels")
    .action(async (options) => {
      const result = await benchKernels();
      report(options.json, result, kernelReport(result));
    });
  solversCommand(bench);
  bench
    .command("profile")
    .description("where the time of a training step goes: every kernel by phase, on one thread")
    .option("--preset <name>", "the preset, also one of images", defaultPreset)
    .addOption(schemaOption("--steps <n>", wholeOption("steps to measure"), { standard: "200, of images 3" }))
    .addOption(
      schemaOption("--warm-up <n>", wholeOption("steps of training before that", 0), {
        standard: "1500, of images 3",
      }),
    )
    .option("--data-dir <dir>", "the folder of an image preset's data (default: random images)")
    .option(...common.json)
    .addHelpText(
      "after",
      "\nExamples:\n  $ monotone-flows bench profile\n  $ monotone-flows bench profile --preset mnist-small",
    )
    .action(async (options) => {
      const { preset, steps, warmUp, dataDir } = options;
      const result = await benchProfile(preset, { steps, warmUp, dataDir });
      report(options.json, result, profileReport(result));
    });
  imagesCommand(bench);
}

const imagesExamples = `
Examples:
  $ monotone-flows bench images
  $ monotone-flows bench images --preset cifar10-small --peers
  $ monotone-flows bench images --preset cifar10 --batch 8 --steps 1 --threads 1
  $ monotone-flows bench images --preset mnist-small --data-dir ~/mnist`;

function imagesCommand(bench: Command): void {
  bench
    .command("images")
    .description(
      "a training step of image presets: milliseconds, images a second, evaluations a solve, memory",
    )
    .option("--preset <name>", "the preset", "mnist-small")
    .addOption(schemaOption("--threads <n>", threads, { standard: "one a core; with --peers 1 as well" }))
    .addOption(schemaOption("--steps <n>", wholeOption("steps to measure").default(10)))
    .addOption(
      schemaOption("--batch <n>", batch, { sentence: "images a step", standard: "that of the preset" }),
    )
    .addOption(common.seed("weights and the images"))
    .option("--data-dir <dir>", "the folder of the preset's data (default: random images)")
    .option("--peers", "beside PyTorch, which is installed for that (mnist-small, cifar10-small)")
    .addOption(
      schemaOption(
        "--rounds <n>",
        wholeOption("with --peers, how often each program is measured, in turn").default(3),
      ),
    )
    .option(...common.json)
    .addHelpText("after", imagesExamples)
    .action(async (options) => {
      const { preset: name, steps, batch, seed, dataDir, rounds } = options;
      const threads = rankCount(options.threads);
      const own = { steps, batch, seed, dataDir };
      if (options.peers) {
        check(
          name === "mnist-small" || name === "cifar10-small",
          "usage",
          `--peers is for mnist-small and cifar10-small, not for ${name}`,
        );
        const counts = [...new Set([1, threads])];
        const results = await compareImages(name, counts, rounds, own, (line) => console.error(line));
        report(options.json, { preset: name, results }, comparisonReport(results));
        return;
      }
      const result = await benchImages(name, threads, own);
      report(options.json, { preset: name, results: [result] }, [
        `${result.preset} on ${result.data}, ${result.batch} images a step, ${result.threads} ${result.threads === 1 ? "thread" : "threads"}: ` +
          `${result.msPerStep.toFixed(1)} ms a step (median of ${result.steps}; ${result.fastest.toFixed(1)} to ${result.slowest.toFixed(1)})`,
        `${result.imagesPerSecond.toFixed(1)} images a second, ${result.evaluations.toFixed(2)} network evaluations a solve, ` +
          `${result.peakMemoryMB.toFixed(0)} MB at most`,
      ]);
    });
}

const solversExamples = `
Examples:
  $ monotone-flows bench solvers
  $ monotone-flows bench solvers --data pinwheel --steps 5000
  $ monotone-flows bench solvers --model runs/2spirals-monotone --json`;

function solversCommand(bench: Command): void {
  bench
    .command("solvers")
    .description(
      "network evaluations, milliseconds and residuals of Newton, fixed point and Anderson, block by block, " +
        "on a freshly initialised and on a trained model",
    )
    .option("--preset <name>", "the preset", defaultPreset)
    .option("--data <name>", "the toy density to train and to solve on", "2spirals")
    .addOption(schemaOption("--steps <n>", wholeOption("training steps of the trained model").default(1500)))
    .addOption(
      new Option(
        "--model <run>",
        "a run to take as the trained model, with its data, instead of the three above",
      ).conflicts(["preset", "data", "steps"]),
    )
    .addOption(common.seed("weights and the samples"))
    .addOption(schemaOption("--batch <n>", batch.default(500), { sentence: "samples to solve for" }))
    .addOption(
      schemaOption("--tolerance <x>", option(positive, "relative residual to reach"), {
        standard: "that of the blocks",
      }),
    )
    .option(...common.uncertified)
    .option(...common.json)
    .addHelpText("after", solversExamples)
    .action(async (options) => {
      const { preset, data, steps, model, batch, seed, tolerance } = options;
      const common = { batch, seed, tolerance };
      const result =
        model === undefined
          ? await benchSolvers(preset, data, steps, common)
          : await benchRun(model, common, options);
      report(options.json, result, solverReport(result));
    });
}

async function benchRun(
  path: string,
  options: SolverBenchmarkOptions,
  certified: { uncertified?: boolean },
): Promise<SolverBenchmark> {
  const { run, flow } = await openCertified(path, certified);
  return benchSolversOf(run.path, flow, await trainingSource(run), options);
}

import type { Command } from "commander";
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
import { defaultPreset } from "../presets/presets.js";
import { integer, positive, threadCount } from "./options.js";
import { report } from "./output.js";
import { openCertified, trainingSource, UNCERTIFIED } from "./run-model.js";

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
    .option("--preset <name>", `the preset (default: ${defaultPreset})`)
    .option("--threads <n>", "ranks that share the work (default: one a core)")
    .option("--steps <n>", "steps to measure (default: 200)")
    .option("--seed <n>", "seed of the weights and the samples (default: 0)")
    .option("--targets <list>", "stop at the last of these test losses, and report the seconds to each")
    .option("--json", "print one JSON object on stdout")
    .allowExcessArguments()
    .addHelpText("after", examples)
    .action(
      async (
        options: {
          preset?: string;
          threads?: string;
          steps?: string;
          seed?: string;
          targets?: string;
          json?: boolean;
        },
        self: Command,
      ) => {
        const [other] = self.args;
        check(
          other === undefined,
          "usage",
          `there is no benchmark ${quoted(other)}; known are training, images, kernels, solvers and profile`,
        );
        const result = await benchTraining(
          options.preset ?? defaultPreset,
          threadCount(options.threads),
          integer("--steps", options.steps ?? "200", 1),
          {
            seed: integer("--seed", options.seed ?? "0", 0),
            targets: options.targets?.split(",").map((text) => positive("--targets", text)) ?? [],
          },
        );
        report(options.json, { ...result, peers: [] }, [
          `${result.preset}, ${result.threads} ${result.threads === 1 ? "thread" : "threads"}: ${result.msPerStep.toFixed(2)} ms a step ` +
            `(median of ${result.steps}; ${result.fastest.toFixed(2)} to ${result.slowest.toFixed(2)})`,
          `${result.evaluations.toFixed(2)} network evaluations a solve, ${result.peakMemoryMB.toFixed(0)} MB at most, ` +
            `test loss ${result.testLoss.toFixed(3)} nats`,
          ...Object.entries(result.secondsTo).map(([t, s]) => `${s?.toFixed(1) ?? "-"} s to ${t} nats`),
        ]);
      },
    );
  bench
    .command("kernels")
    .description(
      "GFLOP/s of the matrix kernels beside this machine's peak, and nanoseconds an element of the pointwise ones",
    )
    .option("--json", "print one JSON object on stdout")
    .addHelpText("after", "\nExamples:\n  $ monotone-flows bench kernels")
    .action(async (options: { json?: boolean }) => {
      const result = await benchKernels();
      report(options.json, result, kernelReport(result));
    });
  solversCommand(bench);
  bench
    .command("profile")
    .description("where the time of a training step goes: every kernel by phase, on one thread")
    .option("--preset <name>", `the preset, also one of images (default: ${defaultPreset})`)
    .option("--steps <n>", "steps to measure (default: 200, of images 3)")
    .option("--warm-up <n>", "steps of training before that (default: 1500, of images 3)")
    .option("--data-dir <dir>", "the folder of an image preset's data (default: random images)")
    .option("--json", "print one JSON object on stdout")
    .addHelpText(
      "after",
      "\nExamples:\n  $ monotone-flows bench profile\n  $ monotone-flows bench profile --preset mnist-small",
    )
    .action(
      async (options: {
        preset?: string;
        steps?: string;
        warmUp?: string;
        dataDir?: string;
        json?: boolean;
      }) => {
        const result = await benchProfile(options.preset ?? defaultPreset, {
          steps: options.steps === undefined ? undefined : integer("--steps", options.steps, 1),
          warmUp: options.warmUp === undefined ? undefined : integer("--warm-up", options.warmUp, 0),
          dataDir: options.dataDir,
        });
        report(options.json, result, profileReport(result));
      },
    );
  imagesCommand(bench);
}

const imagesExamples = `
Examples:
  $ monotone-flows bench images
  $ monotone-flows bench images --preset cifar10-small --peers
  $ monotone-flows bench images --preset cifar10 --batch 8 --steps 1 --threads 1
  $ monotone-flows bench images --preset mnist-small --data-dir ~/mnist`;

interface ImagesOptions {
  preset?: string;
  threads?: string;
  steps?: string;
  batch?: string;
  seed?: string;
  dataDir?: string;
  peers?: boolean;
  rounds?: string;
  json?: boolean;
}

function imagesCommand(bench: Command): void {
  bench
    .command("images")
    .description(
      "a training step of image presets: milliseconds, images a second, evaluations a solve, memory",
    )
    .option("--preset <name>", "the preset (default: mnist-small)")
    .option("--threads <n>", "ranks that share the work (default: one a core; with --peers 1 as well)")
    .option("--steps <n>", "steps to measure (default: 10)")
    .option("--batch <n>", "images a step (default: that of the preset)")
    .option("--seed <n>", "seed of the weights and the images (default: 0)")
    .option("--data-dir <dir>", "the folder of the preset's data (default: random images)")
    .option("--peers", "beside PyTorch, which is installed for that (mnist-small, cifar10-small)")
    .option("--rounds <n>", "with --peers, how often each program is measured, in turn (default: 3)")
    .option("--json", "print one JSON object on stdout")
    .addHelpText("after", imagesExamples)
    .action(async (options: ImagesOptions) => {
      const name = options.preset ?? "mnist-small";
      const threads = threadCount(options.threads);
      const own = {
        steps: integer("--steps", options.steps ?? "10", 1),
        batch: options.batch === undefined ? undefined : integer("--batch", options.batch, 1),
        seed: integer("--seed", options.seed ?? "0", 0),
        dataDir: options.dataDir,
      };
      if (options.peers) {
        check(
          name === "mnist-small" || name === "cifar10-small",
          "usage",
          `--peers is for mnist-small and cifar10-small, not for ${name}`,
        );
        const rounds = integer("--rounds", options.rounds ?? "3", 1);
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

const defaultSolverSteps = 1500;

interface SolversOptions {
  preset?: string;
  data?: string;
  steps?: string;
  seed?: string;
  model?: string;
  batch?: string;
  tolerance?: string;
  json?: boolean;
  uncertified?: boolean;
}

function solversCommand(bench: Command): void {
  bench
    .command("solvers")
    .description(
      "network evaluations, milliseconds and residuals of Newton, fixed point and Anderson, block by block, " +
        "on a freshly initialised and on a trained model",
    )
    .option("--preset <name>", `the preset (default: ${defaultPreset})`)
    .option("--data <name>", "the toy density to train and to solve on (default: 2spirals)")
    .option("--steps <n>", `training steps of the trained model (default: ${defaultSolverSteps})`)
    .option("--model <run>", "a run to take as the trained model, with its data, instead of the three above")
    .option("--seed <n>", "seed of the weights and the samples (default: 0)")
    .option("--batch <n>", "samples to solve for (default: 500)")
    .option("--tolerance <x>", "relative residual to reach (default: that of the blocks)")
    .option(...UNCERTIFIED)
    .option("--json", "print one JSON object on stdout")
    .addHelpText("after", solversExamples)
    .action(async (options: SolversOptions) => {
      const { preset, data, model } = options;
      const steps = integer("--steps", options.steps ?? String(defaultSolverSteps), 1);
      const common = {
        batch: integer("--batch", options.batch ?? "500", 1),
        seed: integer("--seed", options.seed ?? "0", 0),
        tolerance: options.tolerance === undefined ? undefined : positive("--tolerance", options.tolerance),
      };
      check(
        model === undefined || [preset, data, options.steps].every((option) => option === undefined),
        "usage",
        "--model has a preset, data and steps of its own; leave out --preset, --data and --steps",
      );
      const result =
        model === undefined
          ? await benchSolvers(preset ?? defaultPreset, data ?? "2spirals", steps, common)
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

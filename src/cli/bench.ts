import type { Command } from "commander";
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
import { check } from "../errors.js";
import { defaultPreset } from "../experiments/presets.js";
import { integer, positive, threadCount } from "./options.js";
import { report } from "./output.js";
import { openModel, trainingSource } from "./run-model.js";

const examples = `
Examples:
  $ monotone-flows bench training
  $ monotone-flows bench training --threads 1 --json
  $ monotone-flows bench kernels
  $ monotone-flows bench solvers
  $ monotone-flows bench profile`;

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
          `there is no benchmark '${other}'; known are training, kernels, solvers and profile`,
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
    .option("--preset <name>", `the preset (default: ${defaultPreset})`)
    .option("--steps <n>", "steps to measure (default: 200)")
    .option("--warm-up <n>", "steps of training before that (default: 1500)")
    .option("--json", "print one JSON object on stdout")
    .addHelpText("after", "\nExamples:\n  $ monotone-flows bench profile")
    .action(async (options: { preset?: string; steps?: string; warmUp?: string; json?: boolean }) => {
      const result = await benchProfile(options.preset ?? defaultPreset, {
        steps: integer("--steps", options.steps ?? "200", 1),
        warmUp: integer("--warm-up", options.warmUp ?? "1500", 0),
      });
      report(options.json, result, profileReport(result));
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
          : await benchRun(model, common);
      report(options.json, result, solverReport(result));
    });
}

async function benchRun(path: string, options: SolverBenchmarkOptions): Promise<SolverBenchmark> {
  const { run, flow } = await openModel(path);
  return benchSolversOf(run.path, flow, await trainingSource(run), options);
}

import type { Command } from "commander";
import { benchKernels, kernelReport } from "../../bench/kernels.js";
import { benchTraining } from "../../bench/training.js";
import { check } from "../errors.js";
import { defaultPreset } from "../experiments/presets.js";
import { integer, positive, threadCount } from "./options.js";
import { report } from "./output.js";

const examples = `
Examples:
  $ monotone-flows bench training
  $ monotone-flows bench training --threads 1 --json
  $ monotone-flows bench kernels`;

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
          `there is no benchmark '${other}'; known are training and kernels`,
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
}

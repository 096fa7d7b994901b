import type { Command } from "commander";
import { toySource } from "../data/source.js";
import { check } from "../errors.js";
import { looksLikeFile, readTable } from "../experiments/data.js";
import { withRanks } from "../ranks/pool.js";
import { evaluate } from "../training/evaluate.js";
import type { Run } from "../training/run.js";
import { testSamples } from "../training/train-run.js";
import { threadCount } from "./options.js";
import { aligned, report } from "./output.js";
import { openModel, trainingSource } from "./run-model.js";

interface EvaluateOptions {
  data?: string;
  columns?: string;
  threads?: string;
  json?: boolean;
}

export function evaluateCommand(program: Command): void {
  program
    .command("evaluate <run>")
    .description(
      "test loss of a run's model in nats, with the entropy of the data and the gap to it where known",
    )
    .option(
      "--data <name|file>",
      "a toy density or a file to evaluate on (default: the test data of the run)",
    )
    .option("--columns <list>", "columns of the file to use, by name or number, separated by commas")
    .option("--threads <n>", "ranks that share the work (default: one a core)")
    .option("--json", "print one JSON object on stdout")
    .addHelpText(
      "after",
      `
Examples:
  $ monotone-flows evaluate runs/2spirals-monotone
  $ monotone-flows evaluate runs/wine-monotone --data new-wines.csv --json`,
    )
    .action(async (path: string, options: EvaluateOptions) => {
      const began = performance.now();
      const ranks = threadCount(options.threads);
      const { run, flow } = await openModel(path);
      const { name, test, entropy } = testData(run, options.data, options.columns);
      check(
        test.columns === flow.dim,
        "input",
        `${name} has ${test.columns} columns, the model was trained on ${flow.dim}`,
      );
      const { loss, standardError, rows } = await withRanks(flow, (pool) => evaluate(pool, test), { ranks });
      const seconds = (performance.now() - began) / 1000;
      const gap = entropy === null ? null : loss - entropy;
      // A run that is going on beyond its model has more steps in its configuration.
      const { steps, msPerStep } = run.summary() ?? { steps: run.config.training.steps, msPerStep: null };
      const result = {
        run: run.path,
        data: name,
        steps,
        rows,
        testLoss: loss,
        standardError,
        unit: "nats",
        entropy,
        gap,
        msPerStep,
        seconds,
      };
      report(
        options.json,
        result,
        aligned([
          ["data", `${name}, ${rows} rows`],
          ["test loss", `${loss.toFixed(4)} ± ${standardError.toFixed(4)} nats`],
          ...(entropy === null
            ? []
            : ([
                ["entropy", `${entropy.toFixed(4)} nats`],
                ["gap", `${(loss - entropy).toFixed(4)} nats`],
              ] as const)),
        ]),
      );
    });
}

function testData(run: Run, data: string | undefined, columns: string | undefined) {
  const { seed } = run.config.training;
  if (data === undefined) {
    const source = trainingSource(run);
    return { name: source.name, test: source.test(seed, testSamples), entropy: source.entropy };
  }
  if (!looksLikeFile(data)) {
    const source = toySource(data);
    return { name: data, test: source.test(seed, testSamples), entropy: source.entropy };
  }
  return { name: data, test: readTable(data, runColumns(run, columns)).table, entropy: null };
}

/** The columns to read: those asked for, or those of the run where names tell them apart. */
export function runColumns(run: Run, columns: string | undefined): string[] | undefined {
  if (columns !== undefined) return columns.split(",").map((c) => c.trim());
  const { data } = run.config;
  if (data.kind !== "table" || new Set(data.columns).size < data.columns.length) return undefined;
  return data.columns.some((name, i) => name !== `column ${i + 1}`) ? data.columns : undefined;
}

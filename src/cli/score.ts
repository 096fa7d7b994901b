import { extname } from "node:path";
import type { Command } from "commander";
import { formatCsv } from "../data/csv.js";
import { writeNpy } from "../data/npy.js";
import { check, quoted } from "../errors.js";
import { looksLikeFile, looksLikeImages } from "../experiments/data.js";
import { writeFileAtomically } from "../flows/files.js";
import { withRanks } from "../ranks/pool.js";
import { Table } from "../table.js";
import { densities } from "../training/evaluate.js";
import { checkFits, testSource } from "./evaluate.js";
import { threadCount } from "./options.js";
import { remark } from "./output.js";
import { openCertified, UNCERTIFIED } from "./run-model.js";

export function scoreCommand(program: Command): void {
  program
    .command("score <run>")
    .description(
      "log p(x) of every row of a file under a run's model, in nats, in the units of the file's columns",
    )
    .requiredOption(
      "--data <file>",
      "a CSV or NPY file with the columns that the model was trained on, or images, of data sets with a part for tests that part",
    )
    .option("--data-dir <dir>", "the folder with the files of a named data set of images")
    .option("--columns <list>", "columns of the file to use, by name or number, separated by commas")
    .option("--threads <n>", "ranks that share the work (default: one a core)")
    .option("--out <file>", "a .csv or .npy file (default: one number a line on stdout)")
    .option(...UNCERTIFIED)
    .option("--json", "print one JSON object on stdout; without --out it holds the numbers")
    .addHelpText(
      "after",
      `
Examples:
  $ monotone-flows score runs/wine-monotone --data wine.csv --out scores.csv
  $ monotone-flows score runs/wine-monotone --data wine.csv | sort -g | head    # the oddest rows`,
    )
    .action(
      async (
        path: string,
        options: {
          data: string;
          dataDir?: string;
          columns?: string;
          threads?: string;
          out?: string;
          json?: boolean;
          uncertified?: boolean;
        },
      ) => {
        const ranks = threadCount(options.threads);
        const { out, json } = options;
        const format = out === undefined ? null : extname(out).toLowerCase();
        check(
          format === null || format === ".csv" || format === ".npy",
          "usage",
          `--out must end in .csv or .npy, not ${quoted(out)}`,
        );
        const { run, flow } = await openCertified(path, options);
        check(
          looksLikeFile(options.data) || looksLikeImages(options.data),
          "input",
          `there is no file ${options.data}`,
        );
        const source = await testSource(run, options);
        checkFits(options.data, source, flow);
        const { seed } = run.config.training;
        const scores = await withRanks(flow, (pool) => densities(pool, source, seed), { ranks });
        const column = new Table(scores.length, 1, scores);
        if (out !== undefined)
          writeFileAtomically(out, format === ".npy" ? writeNpy(column) : formatCsv(column, ["log_prob"]));
        const mean = scores.reduce((a, b) => a + b, 0) / scores.length;
        if (json) {
          const result = {
            run: run.path,
            rows: scores.length,
            mean,
            out: out ?? null,
            ...(out === undefined ? { scores: [...scores] } : {}),
          };
          process.stdout.write(`${JSON.stringify(result)}\n`);
        } else if (out === undefined) process.stdout.write(`${scores.join("\n")}\n`);
        else remark(`${scores.length} rows, mean log p ${mean.toFixed(4)} nats, in ${out}`);
      },
    );
}

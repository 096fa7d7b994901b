import { extname } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { formatCsv } from "../data/csv.js";
import { writeNpy } from "../data/npy.js";
import { check, quoted } from "../errors.js";
import { writeFileAtomically } from "../files.js";
import { FailedRows } from "../flows/failed-rows.js";
import { looksLikeFile, looksLikeImages } from "../presets/data.js";
import { withRanks } from "../ranks/rank-maps.js";
import { Table } from "../table.js";
import { densities, summarise } from "../training/evaluate.js";
import { checkFits, testSource } from "./evaluate.js";
import { common, rankCount } from "./options.js";
import { failureCounts, orNull, remark, report, requireAll } from "./output.js";
import { openCertified } from "./run-model.js";

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
    .option(...common.columns)
    .addOption(common.threads)
    .option("--out <file>", "a .csv or .npy file (default: one number a line on stdout)")
    .option(...common.uncertified)
    .option("--json", "print one JSON object on stdout; without --out it holds the numbers")
    .addHelpText(
      "after",
      `
Examples:
  $ monotone-flows score runs/wine-monotone --data wine.csv --out scores.csv
  $ monotone-flows score runs/wine-monotone --data wine.csv | sort -g | head    # the oddest rows`,
    )
    .action(async (path, options) => {
      const ranks = rankCount(options.threads);
      const { out, json } = options;
      const format = out === undefined ? null : extname(out).toLowerCase();
      check(
        format === null || format === ".csv" || format === ".npy",
        "usage",
        `--out must end in .csv or .npy, not ${quoted(out)}`,
      );
      const { run, flow, certified } = await openCertified(path, options);
      check(
        looksLikeFile(options.data) || looksLikeImages(options.data),
        "input",
        `there is no file ${options.data}`,
      );
      const source = await testSource(run, options);
      checkFits(options.data, source, flow);
      const { seed } = run.config.training;
      const failures = new FailedRows();
      const all = Number.POSITIVE_INFINITY;
      const scores = await withRanks(flow, (maps) => densities(maps, source, seed, all, { failures }), {
        ranks,
      });
      const column = new Table(scores.length, 1, scores);
      if (out !== undefined)
        writeFileAtomically(out, format === ".npy" ? writeNpy(column) : formatCsv(column, ["log_prob"]));
      const { loss, rows, outside } = summarise(scores);
      const known = Number.isFinite(loss);
      if (json || out === undefined) {
        const result = {
          run: run.path,
          rows,
          mean: orNull(-loss),
          ...failureCounts(failures),
          certified,
          outside,
          ...(failures.count > 0 ? { failedRows: failures.list() } : {}),
          out: out ?? null,
          ...(out === undefined ? { scores: Array.from(scores, orNull) } : {}),
        };
        report(json, result, [...scores].map(String));
      } else {
        const mean = known ? `, mean log p ${(-loss).toFixed(4)} nats` : "";
        remark(`${rows} rows${mean}, in ${out}`);
      }
      if (outside > 0) {
        remark(
          `${outside} of ${rows} rows lie outside of the model's support: their log p is -Infinity${json ? ", in JSON null" : ""}`,
        );
      }
      requireAll(failures, "row", run.path);
    });
}

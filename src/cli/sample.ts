import { extname } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { formatCsv } from "../data/csv.js";
import { pixelTable } from "../data/images/pixels.js";
import { writeNpy } from "../data/npy.js";
import { check, quoted } from "../errors.js";
import { writeFileAtomically } from "../files.js";
import { FailedRows } from "../flows/failed-rows.js";
import { withRanks } from "../ranks/rank-maps.js";
import { common, rankCount, schemaOption, wholeOption } from "./options.js";
import { failureCounts, remark, report, requireAll } from "./output.js";
import { openCertified } from "./run-model.js";

/** Samples are made, and written, in one piece of memory. */
const MAX_SAMPLES = 5_000_000;
const FORMATS = [".csv", ".npy", ".png"];

export function sampleCommand(program: Command): void {
  program
    .command("sample <run>")
    .description("draw samples from a run's model, in the units of its data")
    .addOption(
      schemaOption("-n, --count <n>", wholeOption("number of samples"), { standard: "1000, of images 64" }),
    )
    .addOption(common.seed("samples"))
    .addOption(common.threads)
    .option("--out <file>", "a .csv, .npy or .png file (default: CSV on stdout)")
    .option(...common.uncertified)
    .option("--json", "print one JSON object on stdout; needs --out")
    .addHelpText(
      "after",
      `
Examples:
  $ monotone-flows sample runs/2spirals-monotone -n 5
  $ monotone-flows sample runs/2spirals-monotone -n 100000 --out samples.npy
  $ monotone-flows sample runs/2spirals-monotone --out samples.png
  $ monotone-flows sample runs/digits -n 100 --out digits.png`,
    )
    .action(async (path, options) => {
      const ranks = rankCount(options.threads);
      const { seed, out, json } = options;
      check(out !== undefined || !json, "usage", "--json needs --out FILE for the samples themselves");
      const format = out === undefined ? ".csv" : extname(out).toLowerCase();
      check(FORMATS.includes(format), "usage", `--out must end in ${FORMATS.join(", ")}, not ${quoted(out)}`);
      const { run, flow, certified } = await openCertified(path, options);
      const { image } = flow.declaration;
      const count = options.count ?? (image ? 64 : 1000);
      const most = Math.floor((2 * MAX_SAMPLES) / flow.dim);
      check(count <= most, "usage", `--count must be at most ${most}, not ${count}`);
      const failures = new FailedRows();
      const drawn = await withRanks(flow, (maps) => maps.sample(count, { seed, failures }), { ranks });
      const { data } = run.config;
      const names =
        data.kind === "table"
          ? data.columns
          : Array.from({ length: flow.dim }, (_, i) => `${image ? "pixel " : "x"}${i + 1}`);
      const samples = image ? pixelTable(drawn, image.levels) : drawn;
      if (out === undefined) {
        process.stdout.write(formatCsv(samples, names));
        requireAll(failures, "sample", run.path);
        return;
      }
      if (format === ".csv") writeFileAtomically(out, formatCsv(samples, names));
      else if (format === ".npy") writeFileAtomically(out, writeNpy(samples));
      else {
        const { samplesPicture } = await import("../runs/figures.js");
        const { sheetOf } = await import("../runs/image-figures.js");
        const { renderPng } = await import("../plots/index.js");
        const title = `${count} samples of ${run.path}`;
        const picture = image
          ? sheetOf(samples, image, { title })
          : samplesPicture(failures.rest(samples), names, title);
        writeFileAtomically(out, renderPng(picture));
      }
      const failedRows = failures.count > 0 ? { failedRows: failures.list() } : {};
      if (json)
        report(
          json,
          { run: run.path, n: count, out, ...failureCounts(failures), certified, ...failedRows },
          [],
        );
      else remark(`${count} samples in ${out}`);
      requireAll(failures, "sample", run.path);
    });
}

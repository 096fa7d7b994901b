import type { Command } from "@commander-js/extra-typings";
import { type ImageShape, shapeText } from "../data/images/image-set.js";
import { openImages } from "../data/images/index.js";
import { type DataSource, tableSource, toySource } from "../data/source.js";
import { check, FlowError } from "../errors.js";
import { FailedRows } from "../flows/failed-rows.js";
import type { Flow } from "../flows/flow.js";
import { looksLikeFile, looksLikeImages, readTable } from "../presets/data.js";
import { withRanks } from "../ranks/rank-maps.js";
import type { Run } from "../runs/run.js";
import { likelihood } from "../runs/score.js";
import { testSamples } from "../runs/train-run.js";
import { dataSource } from "../training/job.js";
import { meanInWords } from "../training/mean-in-words.js";
import { common, rankCount, schemaOption, wholeOption } from "./options.js";
import { aligned, failureCounts, orNull, remark, report, requireAll } from "./output.js";
import { openCertified, stepsOf, trainingSource } from "./run-model.js";

export function evaluateCommand(program: Command): void {
  program
    .command("evaluate <run>")
    .description(
      "test loss of a run's model in nats, of images in bits per dimension, with the entropy of the data where known",
    )
    .option(
      "--data <name|file>",
      "a toy density or a file to evaluate on (default: the test data of the run)",
    )
    .option("--data-dir <dir>", "the folder with the files of a named data set of images")
    .option(...common.columns)
    .addOption(schemaOption("--samples <n>", wholeOption("test samples at most").default(testSamples)))
    .option("--exact", "of images: exact log-determinants, by whole Jacobians; for small ones")
    .addOption(common.threads)
    .option(...common.uncertified)
    .option(...common.json)
    .addHelpText(
      "after",
      `
Examples:
  $ monotone-flows evaluate runs/2spirals-monotone
  $ monotone-flows evaluate runs/wine-monotone --data new-wines.csv --json`,
    )
    .action(async (path, options) => {
      const began = performance.now();
      const ranks = rankCount(options.threads);
      const { run, flow, certified } = await openCertified(path, options);
      const { seed } = run.config.training;
      const source = await testSource(run, options);
      const { name, entropy } = source;
      checkFits(name, source, flow);
      const { samples, exact = false } = options;
      const score = likelihood(source, seed, { exact });
      const { unit } = score;
      const failures = new FailedRows();
      const { loss, standardError, rows, outside } = await withRanks(
        flow,
        (maps) => score.measure(maps, samples, failures),
        { ranks },
      );
      const seconds = (performance.now() - began) / 1000;
      const known = Number.isFinite(loss);
      const gap = entropy === null || !known ? null : loss - entropy;
      const summary = run.summary();
      const result = {
        run: run.path,
        data: name,
        steps: stepsOf({ config: run.config, summary }, flow),
        rows,
        testLoss: orNull(loss),
        standardError: orNull(standardError),
        ...failureCounts(failures),
        certified,
        outside,
        unit,
        entropy,
        gap,
        msPerStep: summary?.msPerStep ?? null,
        seconds,
      };
      report(
        options.json,
        result,
        aligned([
          ["data", `${name}, ${rows} rows`],
          ["test loss", meanInWords(loss, standardError, unit, rows)],
          ...(entropy === null ? [] : ([["entropy", `${entropy.toFixed(4)} nats`]] as const)),
          ...(gap === null ? [] : ([["gap", `${gap.toFixed(4)} nats`]] as const)),
        ]),
      );
      requireAll(failures, "row", run.path);
      if (!known) {
        throw new FlowError(
          "numerical",
          outside > 0
            ? `${outside} of ${rows} rows lie outside of the model's support, where its density is 0: their mean loss is infinite`
            : `the mean loss of ${rows} rows is not a number`,
        );
      }
    });
}

/** The test data of the run, or what --data names: of a file all of it. */
export async function testSource(
  run: Run,
  { data, columns, dataDir }: { data?: string; columns?: string[]; dataDir?: string },
): Promise<DataSource> {
  if (data === undefined) return await trainingSource(run);
  if (looksLikeImages(data)) {
    // All images of a file or folder, as all rows of a table; of sets that say which images are for tests, these.
    const source = await openImages({ data, dataDir, testFraction: 1 });
    for (const sentence of source.remarks) remark(sentence);
    return await dataSource({ kind: "images", source, flips: false });
  }
  if (!looksLikeFile(data)) return toySource(data);
  return fileSource(run, data, columns);
}

/** Throws unless the data is what the model was trained on: as many columns, or images of the same shape and levels. */
export function checkFits(name: string, source: DataSource, flow: Flow): void {
  const { image } = flow.declaration;
  const columns = (dim: number) => `${dim} column${dim === 1 ? "" : "s"}`;
  const images = (shape: ImageShape, levels: number) => `images of ${shapeText(shape)}, ${levels} levels`;
  const own = source.image ? images(source.image.shape, source.image.levels) : columns(source.dim);
  const wanted = image ? images(image, image.levels) : columns(flow.dim);
  check(own === wanted, "input", `${name} has ${own}, the model was trained on ${wanted}`);
}

/** All rows of a file. */
function fileSource(run: Run, data: string, columns: string[] | undefined): DataSource {
  const { table, names } = readTable(data, runColumns(run, columns));
  return tableSource(data, table, table, names);
}

/** The columns to read: those asked for, or those of the run where names tell them apart. */
function runColumns(run: Run, columns: string[] | undefined): string[] | undefined {
  if (columns !== undefined) return columns;
  const { data } = run.config;
  if (data.kind !== "table" || new Set(data.columns).size < data.columns.length) return undefined;
  return data.columns.some((name, i) => name !== `column ${i + 1}`) ? data.columns : undefined;
}

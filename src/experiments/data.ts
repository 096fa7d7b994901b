/** What `--data NAME|FILE` means: a toy density by name, or a table from a CSV or NPY file. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { basename, extname, resolve } from "node:path";
import { readNpy } from "../data/npy.js";
import { readCsv } from "../data/read-csv.js";
import { toyDensity } from "../data/toy/index.js";
import { check } from "../errors.js";
import { readFile } from "../flows/files.js";
import type { Table } from "../table.js";
import type { DataJob } from "../training/job.js";
import type { DataConfig } from "../training/run.js";
import { TEST_FRACTION, tableJob } from "./table-job.js";

/** Reads a CSV (also gzipped) or NPY file of numbers. */
export function readTable(path: string, columns?: readonly string[]): { table: Table; names: string[] } {
  if (extname(path) === ".npy") {
    check(!columns, "usage", "--columns picks columns of CSV files; an NPY file has no names");
    const table = readNpy(readFile(path), path);
    return { table, names: Array.from({ length: table.columns }, (_, i) => `column ${i + 1}`) };
  }
  return readCsv(path, columns ? { columns } : {});
}

/** What a density is learned of: anything but the pairs of a regression. */
type Density<Data> = Exclude<Data, { kind: "staircase" }>;

export interface ResolvedData {
  config: Density<DataConfig>;
  job: Density<DataJob>;
  dim: number;
  /** Of the training rows; toy densities are used as they are. */
  standardisation?: { mean: number[]; deviation: number[] };
}

/** Whether --data names a file rather than a toy density. */
export const looksLikeFile = (data: string) => /[./\\]/.test(data) || existsSync(data);

/** Loads what --data names, for training with this seed (which decides the rows held out for testing). */
export function resolveData(data: string, seed: number, columns?: readonly string[]): ResolvedData {
  if (!looksLikeFile(data)) {
    toyDensity(data);
    check(!columns, "usage", "--columns picks columns of a file; a toy density has none to choose");
    return { config: { kind: "toy", name: data }, job: { kind: "toy", name: data }, dim: 2 };
  }
  const { table, names } = readTable(data, columns);
  const { job, standardisation } = tableJob(table, names, basename(data), seed, data);
  return {
    config: {
      kind: "table",
      path: resolve(data),
      columns: names,
      sha256: createHash("sha256").update(readFile(data)).digest("hex"),
      testFraction: TEST_FRACTION,
    },
    job,
    dim: table.columns,
    standardisation,
  };
}

/**
 * The data of a run again; throws if its file has changed since. A path that is not absolute starts from the run's
 * directory: what brings its data along works wherever it stands.
 */
export function reloadData(config: DataConfig, seed: number, folder: string): ResolvedData {
  check(
    config.kind !== "staircase",
    "run",
    "this run fits a function, not a density; only `monotone-flows reproduce 1d` knows what to do with it",
  );
  if (config.kind === "toy") return resolveData(config.name, seed);
  const { columns, sha256 } = config;
  const path = resolve(folder, config.path);
  check(
    createHash("sha256").update(readFile(path)).digest("hex") === sha256,
    "input",
    `${path} has changed since the run was started`,
  );
  // Names that stand twice choose nothing: the whole file was read then.
  const whole = extname(path) === ".npy" || new Set(columns).size < columns.length;
  return resolveData(path, seed, whole ? undefined : columns);
}

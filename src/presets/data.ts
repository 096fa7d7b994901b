/** What `--data NAME|FILE` means: a toy density by name, or a table from a CSV or NPY file. */
import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { basename, extname, resolve } from "node:path";
import { checkFingerprint, fingerprintOf } from "../data/images/fingerprint.js";
import { type ImageShape, imageSize } from "../data/images/image-set.js";
import { imageDataNames, openImages } from "../data/images/index.js";
import { readNpy } from "../data/npy.js";
import { readBytes } from "../data/read-bytes.js";
import { readCsv } from "../data/read-csv.js";
import { toyDensity } from "../data/toy/index.js";
import { check } from "../errors.js";
import { readFile } from "../files.js";
import type { DataConfig } from "../runs/run.js";
import type { Table } from "../table.js";
import type { DataJob } from "../training/job.js";
import { TEST_FRACTION, tableJob } from "./table-job.js";

/** Reads a CSV (also gzipped) or NPY file of numbers. */
export function readTable(path: string, columns?: readonly string[]): { table: Table; names: string[] } {
  if (extname(path) === ".npy") {
    check(!columns, "usage", "only columns of CSV files can be chosen; those of an NPY file have no names", {
      option: "columns",
    });
    const table = readNpy(readBytes(path), path);
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
  /** Of the rows where they are images. */
  image?: { shape: ImageShape; levels: number };
  /** What a person should know of the data. */
  remarks?: readonly string[];
  /** Of the training rows; toy densities are used as they are. */
  standardisation?: { mean: number[]; deviation: number[] };
}

/** Whether --data names a file rather than a toy density. */
export const looksLikeFile = (data: string) => /[./\\]/.test(data) || existsSync(data);

/** Whether --data names images: a data set that is known by name, a folder, or a file of images. */
export const looksLikeImages = (data: string) =>
  imageDataNames.includes(data) ||
  (existsSync(data) && statSync(data).isDirectory()) ||
  /\.(png|jpe?g|npz|bin(\.gz)?)$|-ubyte(\.gz)?$/i.test(data);

/** How images are read. */
export interface ImageOptions {
  dataDir?: string | undefined;
  flips?: boolean | undefined;
}

/** Loads what --data names, for training with this seed (which decides the rows held out for testing). */
export async function resolveData(
  data: string,
  seed: number,
  columns?: readonly string[],
  images: ImageOptions = {},
): Promise<ResolvedData> {
  if (looksLikeImages(data)) {
    check(!columns, "usage", "only columns of a table can be chosen; images are taken whole", {
      option: "columns",
    });
    return await resolveImages(data, seed, images);
  }
  check(
    images.dataDir === undefined,
    "usage",
    `a folder of files goes with the name of a data set of images (${imageDataNames.join(", ")}), not with ${data}`,
    { option: "dataDir" },
  );
  if (!looksLikeFile(data)) {
    toyDensity(data);
    check(!columns, "usage", "only columns of a file can be chosen; a toy density has none", {
      option: "columns",
    });
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
export async function reloadData(config: DataConfig, seed: number, folder: string): Promise<ResolvedData> {
  check(
    config.kind !== "staircase",
    "run",
    "this run fits a function, not a density; only the reproduction 1d knows what to do with it",
  );
  if (config.kind === "toy") return resolveData(config.name, seed);
  if (config.kind === "images") {
    const data = await resolveData(config.data, seed, undefined, config);
    const { fingerprint } = config;
    if (fingerprint && data.job.kind === "images") {
      checkFingerprint(data.job.source, fingerprint, config.data);
    }
    return data;
  }
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

async function resolveImages(data: string, seed: number, options: ImageOptions): Promise<ResolvedData> {
  const { dataDir, flips = false } = options;
  const source = await openImages({ data, dataDir, seed });
  const { shape, levels, remarks } = source;
  const fingerprint = fingerprintOf(source);
  return {
    config: {
      kind: "images",
      data: imageDataNames.includes(data) ? data : resolve(data),
      ...(dataDir === undefined ? {} : { dataDir: resolve(dataDir) }),
      flips,
      ...(fingerprint ? { fingerprint } : {}),
    },
    job: { kind: "images", source, flips },
    dim: imageSize(shape),
    image: { shape, levels },
    remarks,
  };
}

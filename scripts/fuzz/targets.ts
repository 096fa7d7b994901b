/**
 * What is fuzzed: files of a kind, what reads them, and the rule that the outcome must obey.
 *
 * - *sealed* files carry checksums: a mutant is refused, or what is read is the same to the last bit.
 * - *open* files have none: another file may say other numbers. What is read from a mutant must then be whole: finite
 *   numbers, as many as the shape says; pixels below the levels; labels that can be read.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import sharp from "sharp";
import { formatCsv } from "../../src/data/csv.js";
import { idxHeader } from "../../src/data/images/idx.js";
import { imageSize } from "../../src/data/images/image-set.js";
import { openImageData, openImages } from "../../src/data/images/index.js";
import { writeNpy } from "../../src/data/npy.js";
import { loadFlow, saveFlow } from "../../src/flows/model-files.js";
import { readTable } from "../../src/presets/data.js";
import { findCheckpoint } from "../../src/runs/checkpoint.js";
import { Run } from "../../src/runs/run.js";
import { Table } from "../../src/table.js";
import { engine, finishedRun } from "../../test/support/run-directory.js";

export interface Target {
  readonly name: string;
  readonly rule: "sealed" | "open";
  /** Writes the files, as they are when they are good. */
  make(folder: string): Promise<void>;
  /** Reads them. What is read, as text or bytes; `warnings` are what a person gets to read besides. Throws where it is not whole. */
  read(folder: string, scratch: string): Promise<{ content: string; warnings: readonly string[] }>;
  /** What is mutated is inside of gzip. */
  readonly packed?: boolean;
}

const hash = (...parts: (string | Uint8Array | Float64Array)[]) => {
  const all = createHash("sha256");
  for (const part of parts)
    all.update(
      part instanceof Float64Array ? new Uint8Array(part.buffer, part.byteOffset, part.byteLength) : part,
    );
  return all.digest("hex");
};

/** Says that a reader has let something through; not a FlowError, so it counts as a fault. */
function whole(condition: boolean, what: string): void {
  if (!condition) throw new Error(`what was read is not whole: ${what}`);
}

const numbers = (count: number) => Float64Array.from({ length: count }, (_, i) => Math.sin(i) + i / 7);

function readTableFile(path: string): { content: string; warnings: string[] } {
  const { table, names } = readTable(path);
  whole(names.length === table.columns && table.values.length === table.rows * table.columns, "shape");
  whole(table.values.every(Number.isFinite) && table.rows > 0, "numbers");
  return { content: hash(JSON.stringify([table.rows, names]), table.values), warnings: [] };
}

async function readImages(
  data: string,
  cacheDir: string,
): Promise<{ content: string; warnings: readonly string[] }> {
  const source = await openImages({ data, cacheDir, testFraction: 1 });
  const { test, close } = openImageData(source);
  try {
    const parts: Uint8Array[] = [];
    whole(test.count > 0 && imageSize(test.shape) > 0, "no images");
    for (let i = 0; i < Math.min(test.count, 200); i++) {
      const image = new Uint8Array(imageSize(test.shape));
      test.read(i, image);
      whole(
        image.every((value) => value < test.levels),
        "a pixel beyond the levels",
      );
      const label = test.label?.(i) ?? 0;
      whole(Number.isInteger(label) && label >= 0, "label");
      parts.push(image, Uint8Array.of(label & 255, label >> 8));
    }
    return {
      content: hash(JSON.stringify([test.count, test.shape, test.levels]), ...parts),
      warnings: source.remarks,
    };
  } finally {
    close();
  }
}

const pixels = (count: number, seed = 0) =>
  Uint8Array.from({ length: count }, (_, i) => (seed * 53 + i * 31) & 255);
const file =
  (name: string, content: () => Uint8Array | string | Promise<Uint8Array>) => async (folder: string) =>
    writeFileSync(join(folder, name), await content());

const images = (count: number) => joinBytes(idxHeader([count, 5, 4]), pixels(count * 20));
const joinBytes = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
const table = new Table(20, 3, numbers(60));
const csv = formatCsv(table, ["a", "b c", "d"]);
const batch = () =>
  joinBytes(...Array.from({ length: 3 }, (_, i) => joinBytes(Uint8Array.of(i), pixels(3072, i))));
const digits = () =>
  Array.from({ length: 12 }, (_, i) =>
    [...pixels(64, i)]
      .map((x) => x & 15)
      .join(",")
      .concat(`,${i % 10}`),
  ).join("\n");
const npy = (type: string, shape: string, data: Uint8Array) => {
  const header = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape}), }`
    .padEnd(117)
    .concat("\n");
  return joinBytes(
    Uint8Array.of(0x93),
    Buffer.from("NUMPY"),
    Uint8Array.of(1, 0, 118, 0),
    Buffer.from(header),
    data,
  );
};
const npz = () =>
  zipSync({
    "data.npy": npy("|u1", "3, 48", pixels(144)),
    "labels.npy": npy("|u1", "3,", Uint8Array.of(1, 2, 3)),
  });
const encoded = (kind: "png" | "jpeg", seed: number) =>
  sharp(pixels(8 * 8 * 3, seed), { raw: { width: 8, height: 8, channels: 3 } })
    .toFormat(kind)
    .toBuffer();
const folderOf = (kind: "png" | "jpeg") => async (folder: string) => {
  for (let i = 0; i < 3; i++) writeFileSync(join(folder, `${i}.${kind}`), await encoded(kind, i));
};

async function readRun(folder: string): Promise<{ content: string; warnings: readonly string[] }> {
  const run = Run.open(join(folder, "run"));
  const remark = run.remark();
  const flow = await run.loadModel({ engine });
  const found = findCheckpoint(run.file("checkpoint"), run);
  const state = found?.checkpoint;
  const content = hash(
    JSON.stringify([run.config, run.summary(), run.metrics(), flow.declaration, state?.step]),
    flow.parameters.values,
    ...(state ? [state.first, state.second, state.sums, ...state.parameters.values()] : []),
  );
  return { content, warnings: [...(remark ? [remark] : []), ...(found?.damage ?? [])] };
}

const single = (name: string) => (folder: string) => Promise.resolve(readTableFile(join(folder, name)));
const singleImages = (name: string) => (folder: string, scratch: string) =>
  readImages(join(folder, name), scratch);

export const targets: readonly Target[] = [
  {
    name: "run directory",
    rule: "sealed",
    make: async (folder) => void (await finishedRun(join(folder, "run"))),
    read: readRun,
  },
  {
    name: "model",
    rule: "sealed",
    async make(folder) {
      const run = await finishedRun(join(folder, "run"));
      saveFlow(await run.loadModel({ engine }), join(folder, "model"));
    },
    async read(folder) {
      const flow = await loadFlow(join(folder, "model"), { engine });
      return { content: hash(JSON.stringify(flow.declaration), flow.parameters.values), warnings: [] };
    },
  },
  { name: "CSV", rule: "open", make: file("t.csv", () => csv), read: single("t.csv") },
  { name: "csv.gz", rule: "sealed", make: file("t.csv.gz", () => gzipSync(csv)), read: single("t.csv.gz") },
  {
    name: "inside csv.gz",
    rule: "open",
    packed: true,
    make: file("t.csv.gz", () => gzipSync(csv)),
    read: single("t.csv.gz"),
  },
  { name: "NPY", rule: "open", make: file("t.npy", () => writeNpy(table)), read: single("t.npy") },
  { name: "IDX", rule: "open", make: file("i-ubyte", () => images(4)), read: singleImages("i-ubyte") },
  {
    name: "idx.gz",
    rule: "sealed",
    make: file("i-ubyte.gz", () => gzipSync(images(4))),
    read: singleImages("i-ubyte.gz"),
  },
  {
    name: "inside idx.gz",
    rule: "open",
    packed: true,
    make: file("i-ubyte.gz", () => gzipSync(images(4))),
    read: singleImages("i-ubyte.gz"),
  },
  { name: "CIFAR", rule: "open", make: file("c.bin", batch), read: singleImages("c.bin") },
  { name: "npz", rule: "sealed", make: file("n.npz", npz), read: singleImages("n.npz") },
  {
    name: "digits",
    rule: "open",
    make: file("d.csv", digits),
    read: (folder, scratch) => readDigits(folder, scratch),
  },
  {
    name: "PNG",
    rule: "sealed",
    make: folderOf("png"),
    read: (folder, scratch) => readImages(folder, scratch),
  },
  {
    name: "JPEG",
    rule: "open",
    make: folderOf("jpeg"),
    read: (folder, scratch) => readImages(folder, scratch),
  },
];

const readDigits = (folder: string, scratch: string) => readImages(join(folder, "d.csv"), scratch);

/** The files of a folder that are worth mutating: those that the target reads. */
export function filesOf(folder: string, target: Target): string[] {
  const inside = target.name === "model" ? join(folder, "model") : folder;
  return readdirSync(inside, { recursive: true, encoding: "utf8" })
    .map((name) => relative(folder, join(inside, name)))
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort();
}

/** The files of a folder, to be put back. */
export function contents(folder: string): Map<string, Uint8Array> {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  );
  return new Map(names.map((name) => [name, readFileSync(join(folder, name))]));
}

export function put(folder: string, files: ReadonlyMap<string, Uint8Array>): void {
  for (const [name, bytes] of files) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
}

export const unpacked = (bytes: Uint8Array): Uint8Array => new Uint8Array(gunzipSync(bytes));
export const packed = (bytes: Uint8Array): Uint8Array => new Uint8Array(gzipSync(bytes));

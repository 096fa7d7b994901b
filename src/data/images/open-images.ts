import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { check, FlowError } from "../../errors.js";
import { reason } from "../../files.js";
import { nearestName } from "../nearest-name.js";
import { heldOut } from "../shuffled-order.js";
import { type CacheOptions, cached, fileSource } from "./cache.js";
import { cifarImages } from "./cifar.js";
import { digitsCount, digitsLevels, digitsRow, digitsShape } from "./digits.js";
import { readDigitsCsv } from "./digits-csv.js";
import { idxImages } from "./idx-images.js";
import { imageFiles } from "./image-files.js";
import { folderImages } from "./image-folder.js";
import { checkShapes, countImages, type ImagePart, plain, wholeSet } from "./image-part.js";
import type { ImageSource } from "./image-source.js";
import { imagenetImages } from "./imagenet.js";
import { fileNames, type KnownFiles, knownFormats, knownImages } from "./known-images.js";
import { withWriter } from "./raw-writer.js";

/** The image data sets that are known by name. */
export const imageDataNames: readonly string[] = ["digits", ...Object.keys(knownImages)];

const TEST_FRACTION = 0.1;
const ROWS = "rows";

/** What `openImages` looks for. */
export interface OpenImagesOptions extends CacheOptions {
  /** A name of `imageDataNames`, or a folder or file of images. */
  readonly data: string;
  /** The folder in which the files of a named data set lie, or a folder of that name in it. */
  readonly dataDir?: string | undefined;
  /** Decides which images are held out, where the data set itself does not say; 0 by default. */
  readonly seed?: number | undefined;
  /** The share of images held out then; 0.1 by default. With 1 all are to test with, in the order of the files. */
  readonly testFraction?: number | undefined;
}

/**
 * Finds the images that `data` names, checks their files and unpacks what is packed, once, into the user's
 * cache directory. `openImageData` opens what is returned, in any thread.
 *
 * - `digits`: the 8 x 8 digits of the package.
 * - `mnist`, `fashion-mnist`, `cifar10`, `imagenet32`, `imagenet64`: the files of these sets in `dataDir`.
 * - A folder: the files of one of these sets; or PNG and JPEG files, split at random unless they lie in two
 *   folders `train` and `test`.
 * - A file, split at random: IDX, a CIFAR-10 batch, an ImageNet batch, or digits as rows of numbers (CSV).
 *
 * @throws FlowError `input` that names the file, for files that are missing or not what they should be, and for
 *   an unknown name; `usage` if `dataDir` is missing or of no use; `output` if the cache cannot be written
 */
export async function openImages(options: OpenImagesOptions): Promise<ImageSource> {
  const { data, dataDir } = options;
  const seed = options.seed ?? 0;
  const fraction = options.testFraction ?? TEST_FRACTION;
  check(
    fraction > 0 && fraction <= 1,
    "usage",
    `the share of test images is above 0 and at most 1, not ${fraction}`,
  );
  if (data === "digits") {
    check(dataDir === undefined, "usage", "the digits come with the package: they need no folder of files", {
      option: "dataDir",
    });
    const { train: trainCount, test: testCount } = digitsCount;
    const common = { name: data, shape: digitsShape, levels: digitsLevels, trainCount, testCount };
    return { kind: "digits", ...common, remarks: [] };
  }
  if (Object.hasOwn(knownImages, data)) return await openKnown(data, dataDir, options);
  check(existsSync(data), "input", unknown(data));
  check(
    dataDir === undefined,
    "usage",
    `a folder of files goes with the name of a data set (${imageDataNames.join(", ")}); ${data} is a path`,
    { option: "dataDir" },
  );
  const name = basename(resolve(data)).replace(/\.gz$/, "");
  if (!statSync(data).isDirectory()) return split(name, [await openFile(data, options)], seed, fraction);

  const files = list(data);
  const format = knownFormats.find(({ train, test }) => [...train, test].some((file) => find(files, file)));
  if (format) return await openFormat(name, data, format, options);
  // Where all of them are judged, there is one result for each file.
  const copies = fraction === 1 ? "all" : "once";
  if (
    ["train", "test"].every((part) => files.includes(part) && imageFiles(join(data, part)).files.length > 0)
  ) {
    const train = await folderImages(join(data, "train"), { ...options, copies });
    const others = copies === "all" ? copies : { notOf: train };
    return whole(name, [train], [await folderImages(join(data, "test"), { ...options, copies: others })]);
  }
  return split(name, [await folderImages(data, { ...options, copies })], seed, fraction);
}

function unknown(data: string): string {
  if (/[./\\]/.test(data)) return `${data}: there is no such file or folder`;
  const nearest = nearestName(data, imageDataNames);
  const hint = nearest ? `did you mean "${nearest}"?` : `there are ${imageDataNames.join(", ")}`;
  return `there are no images "${data}"; ${hint} (or give a folder of PNG or JPEG files)`;
}

async function openKnown(
  name: string,
  dataDir: string | undefined,
  options: CacheOptions,
): Promise<ImageSource> {
  const known = knownImages[name];
  check(dataDir !== undefined, "usage", `${name} needs the folder with ${whatImagesNeed(name)}`, {
    option: "dataDir",
  });
  const place = placeOf(name, dataDir) ?? dataDir;
  return await openFormat(name, place, known, options, known.home);
}

/** The folder in which files of a named data set lie: `dataDir`, or one in it; null if it has none of them. */
function placeOf(name: string, dataDir: string): string | null {
  const known = knownImages[name];
  check(existsSync(dataDir), "input", `${dataDir}: there is no such folder; ${name} is looked for there`);
  const places = [...known.folders.map((folder) => join(dataDir, folder)), dataDir].filter(
    (place) => existsSync(place) && statSync(place).isDirectory(),
  );
  check(places.length > 0, "input", `${dataDir} is not a folder; ${name} is looked for there`);
  const holds = (place: string) =>
    [...known.train, known.test].some((file) => find(list(place), file) !== null);
  return places.find(holds) ?? null;
}

/**
 * Whether any file of a named data set is in a folder, complete or not.
 *
 * @throws FlowError `input` if there is no such folder
 */
export const holdsImages = (name: string, dataDir: string): boolean => placeOf(name, dataDir) !== null;

/** Which files a named data set needs, and where people get them. */
export const whatImagesNeed = (name: string): string =>
  `${wanted(knownImages[name])}; ${knownImages[name].home}`;

function wanted({ train, test }: KnownFiles): string {
  const ending = test.endsWith(".npz") ? "" : " (or the same with .gz)";
  const first = train.length > 1 ? `${train[0]} to ${train[train.length - 1]}` : train[0];
  return `${first} and ${test}${ending}`;
}

/** Opens the files of a format in a folder; `home` says where people get them. */
async function openFormat(
  name: string,
  folder: string,
  format: KnownFiles,
  options: CacheOptions,
  home?: string,
): Promise<ImageSource> {
  const files = list(folder);
  const path = (file: string) => {
    const found = find(files, file);
    return found && join(folder, found);
  };
  const train = format.train.filter((file) => path(file));
  const missing = [...(train.length > 0 ? [] : format.train), ...(path(format.test) ? [] : [format.test])];
  if (missing.length > 0) {
    const any = train.length === 0 && format.train.length > 1 ? " (of the train files at least one)" : "";
    const gz = format.test.endsWith(".npz") ? "" : ", neither plain nor with .gz";
    const not = `${name}: ${missing.join(", ")}${any} ${missing.length > 1 ? "are" : "is"} not in ${folder}${gz}`;
    throw new FlowError("input", home ? `${not}; ${home}` : not);
  }

  const open = async (file: string, part: "train" | "test") => {
    const { format: kind, labels, side } = format;
    if (kind === "idx") return await idxImages(path(file)!, labels ? path(labels[part]) : null, options);
    if (kind === "cifar") return await cifarImages(path(file)!, options);
    return await imagenetImages(path(file)!, side ?? null, options);
  };
  const parts: ImagePart[] = [];
  for (const file of train) parts.push(await open(file, "train"));
  const source = whole(name, parts, [await open(format.test, "test")]);
  const absent = format.train.filter((file) => !train.includes(file));
  if (absent.length === 0) return source;
  const few = `${absent.join(", ")} ${absent.length > 1 ? "are" : "is"} not in ${folder}`;
  return { ...source, remarks: [`${few}: training has ${source.trainCount} images.`] };
}

async function openFile(path: string, options: CacheOptions): Promise<ImagePart> {
  if (/\.(csv|tes|tra)(\.gz)?$/i.test(path)) return await digitsRows(path, options);
  if (/\.npz$/i.test(path)) return await imagenetImages(path, null, options);
  if (/\.bin(\.gz)?$/i.test(path)) return await cifarImages(path, options);
  return await idxImages(path, null, options);
}

/** Digits of rows of numbers, packed into the cache as bytes. */
async function digitsRows(path: string, options: CacheOptions): Promise<ImagePart> {
  const { folder, content: bytes } = await cached(fileSource(path), "digits", options, async (folder) => {
    const rows = readDigitsCsv(path);
    await withWriter(join(folder, ROWS), (writer) => writer.write(rows));
    return rows.length;
  });
  const rows = { path: join(folder, ROWS), bytes, stride: digitsRow, count: bytes / digitsRow };
  const labels = { ...rows, offset: digitsRow - 1, width: 1 as const };
  return { source: path, shape: digitsShape, levels: digitsLevels, images: { ...rows, offset: 0 }, labels };
}

const remarksOf = (parts: readonly ImagePart[]) => parts.flatMap(({ remarks = [] }) => remarks);

/** Parts that the data set itself has split. */
function whole(name: string, train: readonly ImagePart[], test: readonly ImagePart[]): ImageSource {
  checkShapes([...train, ...test]);
  const [{ shape, levels }] = train;
  const counts = { trainCount: countImages(train), testCount: countImages(test) };
  return {
    kind: "raw",
    name,
    shape,
    levels,
    ...counts,
    remarks: remarksOf(train === test ? train : [...train, ...test]),
    train: wholeSet(train),
    test: wholeSet(test),
  };
}

/** Parts of which a share is held out at random. */
function split(name: string, all: readonly ImagePart[], seed: number, fraction: number): ImageSource {
  if (fraction === 1) return whole(name, all, all);
  checkShapes(all);
  const [{ source, shape, levels }] = all;
  const total = countImages(all);
  check(total >= 2, "input", `${source}: one image only; at least 2 are needed, one to test with`);
  const testCount = heldOut(total, fraction);
  const trainCount = total - testCount;
  const parts = all.map(plain);
  const train = { count: trainCount, parts, split: { seed, first: testCount } };
  const test = { count: testCount, parts, split: { seed, first: 0 } };
  return { kind: "raw", name, shape, levels, trainCount, testCount, remarks: remarksOf(all), train, test };
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (cause) {
    throw new FlowError("input", `cannot read ${folder}: ${reason(cause)}`, { cause });
  }
}

/** The name under which a file is in the list, or null. */
function find(files: readonly string[], name: string): string | null {
  return fileNames(name).find((candidate) => files.includes(candidate)) ?? null;
}

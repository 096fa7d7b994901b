import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { FlowError } from "../../errors.js";
import { idxHeader } from "./idx.js";
import { type ImageSet, imageSize } from "./image-set.js";
import { openImageData } from "./open-image-data.js";
import { type OpenImagesOptions, openImages } from "./open-images.js";

const folder = mkdtempSync(join(tmpdir(), "images-test-"));
const cacheDir = join(folder, "cache");
afterEach(() => vi.unstubAllEnvs());
afterAll(() => rmSync(folder, { recursive: true }));

let folders = 0;
/** A new folder with these files. */
function place(files: Record<string, Uint8Array | string>): string {
  const dir = join(folder, String(folders++));
  mkdirSync(dir);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), content);
  }
  return dir;
}

/** Bytes that differ from image to image and from pixel to pixel. */
const noise = (length: number, seed = 1) =>
  Uint8Array.from({ length }, (_, i) => (seed * 97 + i * 31 + (i >> 3)) & 255);
const idx = (...sizes: number[]) =>
  Buffer.concat([
    idxHeader(sizes),
    noise(
      sizes.reduce((a, b) => a * b),
      sizes[0],
    ),
  ]);
const labels = (...values: number[]) => Buffer.concat([idxHeader([values.length]), Uint8Array.from(values)]);

const RECORD = 3073;
function cifar(count: number, label = (i: number) => i % 10): Uint8Array {
  const bytes = noise(count * RECORD, count);
  for (let i = 0; i < count; i++) bytes[i * RECORD] = label(i);
  return bytes;
}

const mnist = {
  "train-images-idx3-ubyte": idx(5, 4, 3),
  "train-labels-idx1-ubyte": labels(3, 1, 4, 1, 5),
  "t10k-images-idx3-ubyte": idx(2, 4, 3),
  "t10k-labels-idx1-ubyte": labels(9, 2),
};
const packed = (files: Record<string, Uint8Array>) =>
  Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`${name}.gz`, gzipSync(bytes)]));

async function open(options: OpenImagesOptions) {
  const source = await openImages({ cacheDir, ...options });
  return { source, ...openImageData(JSON.parse(JSON.stringify(source))) };
}

function image(set: ImageSet, index: number): Uint8Array {
  const out = new Uint8Array(imageSize(set.shape));
  set.read(index, out);
  return out;
}

async function failure(options: OpenImagesOptions): Promise<string> {
  const error = await openImages({ cacheDir, ...options }).then(
    () => null,
    (error) => error,
  );
  if (!(error instanceof FlowError)) throw error ?? new Error("no error");
  return `${error.code}: ${error.message}`;
}

describe("MNIST", () => {
  const pixels = noise(5 * 12, 5);

  it.each([
    ["plain", mnist],
    ["gzipped", packed(mnist)],
    ["in a folder of its name", Object.fromEntries(Object.entries(mnist).map(([n, b]) => [`mnist/${n}`, b]))],
    [
      "with a dot in the names",
      Object.fromEntries(Object.entries(mnist).map(([n, b]) => [n.replace("-idx", ".idx"), b])),
    ],
    [
      "unpacked by a browser that kept the name",
      Object.fromEntries(Object.entries(mnist).map(([n, b]) => [`${n}.gz`, b])),
    ],
  ])("is read %s", async (_, files) => {
    const { source, train, test, close } = await open({ data: "mnist", dataDir: place(files) });
    expect(source).toMatchObject({ name: "mnist", levels: 256, trainCount: 5, testCount: 2, remarks: [] });
    expect(train.shape).toEqual({ channels: 1, height: 4, width: 3 });
    expect([train.count, test.count]).toEqual([5, 2]);
    expect(image(train, 3)).toEqual(pixels.slice(36, 48));
    expect(image(train, 0)).toEqual(pixels.slice(0, 12));
    expect(image(test, 1)).toEqual(noise(24, 2).slice(12));
    expect([0, 1, 2, 3, 4].map((i) => train.label!(i))).toEqual([3, 1, 4, 1, 5]);
    expect(test.label!(1)).toBe(2);
    close();
    expect(() => image(train, 0)).toThrow("the images have been closed");
  });

  it("goes without labels", async () => {
    const { "train-labels-idx1-ubyte": _, ...files } = mnist;
    const { train, test } = await open({ data: "fashion-mnist", dataDir: place(files) });
    expect(train.label).toBeUndefined();
    expect(test.label!(0)).toBe(9);
  });

  it("is known by its files in a folder, and an IDX file alone is split", async () => {
    const dir = place(mnist);
    expect((await open({ data: dir })).train.count).toBe(5);
    const alone = await open({ data: join(dir, "train-images-idx3-ubyte"), testFraction: 0.4, seed: 3 });
    expect([alone.train.count, alone.test.count]).toEqual([3, 2]);
    const all = [0, 1, 2].map((i) => image(alone.train, i)).concat([0, 1].map((i) => image(alone.test, i)));
    const sorted = (images: Uint8Array[]) => images.map((bytes) => bytes.join(" ")).sort();
    expect(sorted(all)).toEqual(sorted([0, 1, 2, 3, 4].map((i) => pixels.slice(12 * i, 12 * i + 12))));
  });

  it("has all images of a file to test with where none is to train with, in their order", async () => {
    const file = join(place(mnist), "train-images-idx3-ubyte");
    const { test } = await open({ data: file, testFraction: 1, seed: 3 });
    const own = [0, 1, 2, 3, 4].map((i) => pixels.slice(12 * i, 12 * i + 12));
    expect(Array.from({ length: test.count }, (_, i) => [...image(test, i)])).toEqual(own.map((p) => [...p]));
  });

  it("refuses images that do not exist and outputs that do not fit", async () => {
    const { train } = await open({ data: "mnist", dataDir: place(mnist) });
    for (const index of [-1, 5, 0.5]) {
      expect(() => train.read(index, new Uint8Array(12))).toThrow(
        `there is no image ${index}: the set has 5`,
      );
      expect(() => train.label!(index)).toThrow(`there is no image ${index}`);
    }
    expect(() => train.read(0, new Uint8Array(11))).toThrow("an image of 12 values does not fit 11 bytes");
  });

  it("notices files that change after they were found", async () => {
    const dir = place(mnist);
    const source = await openImages({ data: "mnist", dataDir: dir, cacheDir });
    const { train } = openImageData(source);
    truncateSync(join(dir, "train-images-idx3-ubyte"), 70);
    expect(() => image(train, 4)).toThrow("has become shorter");
    expect(() => openImageData(source)).toThrow("has changed: 70 bytes instead of 76");
    rmSync(join(dir, "train-images-idx3-ubyte"));
    expect(() => openImageData(source)).toThrow("there is no such file");
  });

  const images = "train-images-idx3-ubyte";
  const good = mnist[images];
  it.each<[string, Record<string, Uint8Array>, string]>([
    [
      "a truncated file",
      { [images]: good.subarray(0, 60) },
      "truncated: 5 x 4 x 3 values need 76 bytes, the file has 60",
    ],
    [
      "a truncated gzipped IDX",
      { [`${images}.gz`]: gzipSync(good.subarray(0, 60)) },
      "truncated: 5 x 4 x 3 values need 76",
    ],
    [
      "a file that is too long",
      { [images]: Buffer.concat([good, good]) },
      "too long: 5 x 4 x 3 values take 76 bytes",
    ],
    [
      "a gzipped file that goes on after what its header says",
      { [`${images}.gz`]: gzipSync(Buffer.concat([good, new Uint8Array(1e6)])) },
      "too long, unpacks to more than the 76 bytes of its header",
    ],
    [
      "a gzipped file that promises more than there is room for",
      { [`${images}.gz`]: gzipSync(Buffer.concat([idxHeader([2e5, 200, 200]), new Uint8Array(1e6)])) },
      "its header promises 8,000 MB, where the images of a file or folder may have at most 4096 MB; MONOTONE_FLOWS_MAX_IMAGES_MB raises this limit",
    ],
    ["an empty file", { [images]: good.subarray(0, 0) }, "ends within its header, after 0 bytes"],
    ["a header alone", { [images]: good.subarray(0, 10) }, "ends within its header, after 10 bytes"],
    [
      "another magic number",
      { [images]: Buffer.from("PK\x03\x04 no IDX") },
      "wrong magic number 0x504b0304; an IDX file of images starts with 0x00000803",
    ],
    [
      "another type",
      { [images]: good.map((byte, i) => (i === 2 ? 0x0d : byte)) },
      "wrong magic number 0x00000d03",
    ],
    [
      "labels as images",
      { [images]: labels(1, 2, 3) },
      "an IDX file of 1 dimension (a file of labels); images have 3",
    ],
    ["four dimensions", { [images]: idx(5, 1, 4, 3) }, "an IDX file of 4 dimensions; images have 3"],
    ["no images", { [images]: idxHeader([0, 4, 3]) }, "the file holds no values (0 x 4 x 3)"],
    ["too few labels", { [images]: good, "train-labels-idx1-ubyte": labels(1, 2) }, "2 labels for 5 images"],
    [
      "a truncated gzip file",
      { [`${images}.gz`]: gzipSync(good).subarray(0, 40) },
      "not a complete gzip file",
    ],
    [
      "a damaged gzip file",
      { [`${images}.gz`]: gzipSync(good).map((byte, i) => (i === 40 ? byte ^ 1 : byte)) },
      "not a complete gzip file",
    ],
  ])("names %s", async (_, files, message) => {
    const [name] = Object.keys(files);
    const { [images]: __, ...others } = mnist;
    const dataDir = place({ ...others, ...files });
    const text = await failure({ data: "mnist", dataDir });
    expect(text).toContain("input: ");
    expect(text).toContain(join(dataDir, message.includes("labels for") ? "train-labels-idx1-ubyte" : name));
    expect(text).toContain(message);
  });

  it("names test images of another shape", async () => {
    const dataDir = place({ ...mnist, "t10k-images-idx3-ubyte": idx(2, 3, 4) });
    const text = await failure({ data: "mnist", dataDir });
    expect(text).toMatch(/^input: .*t10k-images.* 4 x 3 pixels, 1 channel, .*train-images.* 3 x 4 pixels/);
  });

  it("keeps nothing in the cache of a file that was refused", async () => {
    const before = readdirSync(cacheDir).length;
    const broken = packed({ ...mnist, "train-images-idx3-ubyte": good.subarray(0, 50) });
    await failure({ data: "mnist", dataDir: place(broken) });
    expect(readdirSync(cacheDir).length).toBe(before);
  });

  it("stops unpacking what does not say how long it is", async () => {
    const before = readdirSync(cacheDir).length;
    vi.stubEnv("MONOTONE_FLOWS_MAX_IMAGES_MB", "0.5");
    const dataDir = place({
      "data_batch_1.bin.gz": gzipSync(new Uint8Array(1e6)),
      "test_batch.bin": cifar(1),
    });
    expect(await failure({ data: "cifar10", dataDir })).toMatch(
      /data_batch_1\.bin\.gz: its \d+ bytes unpack to more, where the images of a file or folder may have at most 0\.5 MB/,
    );
    expect(readdirSync(cacheDir).length).toBe(before);
  });

  it.skipIf(process.platform !== "linux")("waits for no pipe", async () => {
    for (const name of ["a-ubyte", "a.npz", "a.bin", "a.bin.gz", "a.csv"]) {
      const path = join(place({}), name);
      execFileSync("mkfifo", [path]);
      expect(await failure({ data: path })).toBe(`input: ${path}: this is a named pipe, not a file`);
    }
  });

  it("says which files are missing, where, and where people get them", async () => {
    const { "t10k-images-idx3-ubyte": _, ...files } = mnist;
    const dataDir = place(files);
    expect(await failure({ data: "mnist", dataDir })).toBe(
      `input: mnist: t10k-images-idx3-ubyte is not in ${dataDir}, neither plain nor with .gz; the MNIST database of handwritten digits (LeCun, Cortes and Burges) is at yann.lecun.com/exdb/mnist`,
    );
    const nothing = place({});
    expect(await failure({ data: "fashion-mnist", dataDir: nothing })).toContain(
      `train-images-idx3-ubyte, t10k-images-idx3-ubyte are not in ${nothing}`,
    );
    expect(await failure({ data: "mnist" })).toMatch(/^usage: mnist needs the folder with train-im.*lecun/);
    expect(await failure({ data: "mnist", dataDir: join(nothing, "x") })).toContain(
      "there is no such folder",
    );
    expect(await failure({ data: "mnist", dataDir: join(dataDir, "train-images-idx3-ubyte") })).toContain(
      "is not a folder",
    );
  });
});

describe("CIFAR-10", () => {
  it.each([
    ["plain", { "data_batch_1.bin": cifar(3), "data_batch_4.bin": cifar(2), "test_batch.bin": cifar(4) }],
    [
      "gzipped",
      packed({ "data_batch_1.bin": cifar(3), "data_batch_4.bin": cifar(2), "test_batch.bin": cifar(4) }),
    ],
  ])("is read %s, from the batches that are there", async (_, files) => {
    const dataDir = place(files);
    const { source, train, test } = await open({ data: "cifar10", dataDir });
    expect(train.shape).toEqual({ channels: 3, height: 32, width: 32 });
    expect([train.count, test.count]).toEqual([5, 4]);
    expect(source.remarks).toEqual([
      `data_batch_2.bin, data_batch_3.bin, data_batch_5.bin are not in ${dataDir}: training has 5 images.`,
    ]);
    expect(image(train, 4)).toEqual(cifar(2).slice(RECORD + 1));
    expect(image(train, 2)).toEqual(cifar(3).slice(2 * RECORD + 1));
    expect([0, 1, 2, 3, 4].map((i) => train.label!(i))).toEqual([0, 1, 2, 0, 1]);
  });

  it("names a file of the wrong length, another kind of record, and missing files", async () => {
    const with_ = (batch: Uint8Array) => place({ "data_batch_1.bin": batch, "test_batch.bin": cifar(2) });
    const short = with_(cifar(3).subarray(0, 9000));
    expect(await failure({ data: "cifar10", dataDir: short })).toContain(
      `input: ${join(short, "data_batch_1.bin")}: wrong length, 9000 bytes; a CIFAR-10 file consists of records of 3073`,
    );
    expect(await failure({ data: "cifar10", dataDir: with_(new Uint8Array(0)) })).toContain(
      "wrong length, 0 bytes",
    );
    // More records than are checked at once.
    expect(
      await failure({ data: "cifar10", dataDir: with_(cifar(600, (i) => (i === 517 ? 10 : 9))) }),
    ).toContain("data_batch_1.bin, record 518: label 10 is not one of 0 to 9");
    const test = place({ "test_batch.bin.gz": gzipSync(cifar(1)) });
    expect(await failure({ data: "cifar10", dataDir: test })).toMatch(
      /data_batch_1.bin, .*data_batch_5.bin \(of the train files at least one\) are not in .*kriz\/cifar.html/,
    );
  });
});

describe("digits", () => {
  it("come with the package", async () => {
    const { source, train, test } = await open({ data: "digits" });
    expect(source).toMatchObject({ levels: 17, trainCount: 1500, testCount: 297 });
    expect([train.count, test.count, train.shape]).toEqual([1500, 297, { channels: 1, height: 8, width: 8 }]);
    expect(Math.max(...image(train, 7))).toBeLessThan(17);
  });

  const row = (pixel: number, label: number) => [...Array(63).fill(pixel), 16 - pixel, label].join(",");
  it("are read from rows of numbers", async () => {
    const dir = place({ "d.csv": `${row(1, 5)}\n${row(2, 6)}\n${row(3, 7)}\n` });
    const { train, test } = await open({ data: join(dir, "d.csv") });
    expect([train.count, test.count, train.levels]).toEqual([2, 1, 17]);
    const seen = [train, train, test].map((set, i) => [image(set, i % 2)[0], set.label!(i % 2)]);
    expect(seen.sort()).toEqual([
      [1, 5],
      [2, 6],
      [3, 7],
    ]);
  });

  it.each([
    [`${row(1, 5)}\n${row(17, 6)}\n`, "row 2, column 1: a pixel is an integer from 0 to 16, not 17"],
    [`${row(1, 5)}\n${row(16.5, 6)}\n`, "row 2, column 1: a pixel is an integer from 0 to 16, not 16.5"],
    [`${row(0, 10)}\n`, "row 1, column 65: a label is an integer from 0 to 9, not 10"],
    ["1,2,3\n4,5,6\n", "3 columns; 8 x 8 digits have 65, 64 pixels and a label"],
    [`${row(1, 5)}\n`, "one image only; at least 2 are needed"],
  ])("names what is wrong in rows of numbers (%#)", async (text, message) => {
    const path = join(place({ "d.csv": text }), "d.csv");
    const found = await failure({ data: path });
    expect(found).toContain(`input: ${path}`);
    expect(found).toContain(message);
  });
});

describe("openImages", () => {
  it.each([
    [{ data: "mnits" }, 'input: there are no images "mnits"; did you mean "mnist"?'],
    [{ data: "cifar-10" }, 'did you mean "cifar10"?'],
    [
      { data: "photographs-of-my-cat" },
      "there are digits, mnist, fashion-mnist, cifar10, imagenet32, imagenet64",
    ],
    [{ data: "./no/folder" }, "input: ./no/folder: there is no such file or folder"],
    [{ data: folder, dataDir: folder }, "usage: a folder of files goes with the name of a data set"],
    [{ data: "digits", testFraction: 2 }, "usage: the share of test images is above 0 and at most 1, not 2"],
  ])("refuses %o", async (options, message) => {
    expect(await failure(options)).toContain(message);
  });

  it("stops when it is told to, and reports how far it is", async () => {
    const files = packed({ ...mnist, "train-images-idx3-ubyte": idx(4000, 28, 28) });
    const dataDir = place(files);
    const before = readdirSync(cacheDir).length;
    const controller = new AbortController();
    const opened = openImages({
      data: "mnist",
      dataDir,
      cacheDir,
      signal: controller.signal,
      progress: () => controller.abort(),
    });
    await expect(opened).rejects.toMatchObject({ name: "AbortError" });
    expect(readdirSync(cacheDir).length).toBe(before);

    const seen: [string, number][] = [];
    await openImages({ data: "mnist", dataDir, cacheDir, progress: (...call) => seen.push(call) }).catch(
      () => {},
    );
    const shares = seen
      .filter(([what]) => what === "unpacking train-images-idx3-ubyte.gz")
      .map(([, share]) => share);
    expect(shares.length).toBeGreaterThan(3);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares.at(-1)).toBe(1);
  });

  it("describes images so that a worker thread can open them", async () => {
    const source = await openImages({ data: "mnist", dataDir: place(packed(mnist)), cacheDir });
    const worker = new Worker(
      'const { parentPort, workerData } = require("node:worker_threads"); parentPort.postMessage(workerData);',
      { eval: true, workerData: source },
    );
    const received = await new Promise((resolve) => worker.once("message", resolve));
    expect(received).toEqual(source);
    expect(image(openImageData(received as typeof source).test, 0)).toEqual(noise(24, 2).slice(0, 12));
  });
});

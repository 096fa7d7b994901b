import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, deflateRawSync } from "node:zlib";
import { afterAll, describe, expect, it, vi } from "vitest";
import { FlowError } from "../../errors.js";
import { openImageData } from "./open-image-data.js";
import { type OpenImagesOptions, openImages } from "./open-images.js";

const folder = mkdtempSync(join(tmpdir(), "imagenet-test-"));
const cacheDir = join(folder, "cache");
afterAll(() => rmSync(folder, { recursive: true }));

const VALUES = 3 * 32 * 32;
const noise = (length: number) =>
  Uint8Array.from({ length }, (_, i) => (Math.imul(i, 2654435761) ^ (i * i)) >>> 11);

/** The bytes of a .npy file. */
function npy(type: string, shape: number[], data: Uint8Array, fortran = "False"): Uint8Array {
  const text = `{'descr': '${type}', 'fortran_order': ${fortran}, 'shape': (${shape.join(", ")},), }`;
  const header = `${text.padEnd(117)}\n`;
  return Buffer.concat([
    Buffer.from("\x93NUMPY\x01\x00", "latin1"),
    Buffer.from([118, 0]),
    Buffer.from(header),
    data,
  ]);
}

function int64(...values: number[]): Uint8Array {
  return new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
}

/** A zip archive (APPNOTE.TXT of PKWARE): each file after its header, then the directory. */
function zip(files: Record<string, Uint8Array>, deflated: boolean): Buffer {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const [name, bytes] of Object.entries(files)) {
    const data = deflated ? deflateRawSync(bytes) : bytes;
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(deflated ? 8 : 0, 4);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(name.length, 22);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(offset, 10);
    directory.push(Buffer.from("PK\x01\x02\x14\0"), common, rest, Buffer.from(name));
    parts.push(Buffer.from("PK\x03\x04"), common, Buffer.from(name), data);
    offset += 4 + common.length + name.length + data.length;
  }
  const end = Buffer.alloc(18);
  end.writeUInt16LE(Object.keys(files).length, 4);
  end.writeUInt16LE(Object.keys(files).length, 6);
  end.writeUInt32LE(Buffer.concat(directory).length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...parts, ...directory, Buffer.from("PK\x05\x06"), end]);
}

const batch = (count: number, labels = Array.from({ length: count }, (_, i) => i * 250 + 1)) => ({
  "mean.npy": npy("<f8", [1], new Uint8Array(8)),
  "labels.npy": npy("<i8", [count], int64(...labels)),
  "data.npy": npy("|u1", [count, VALUES], noise(count * VALUES)),
});

let folders = 0;
function place(files: Record<string, Uint8Array>): string {
  const dir = join(folder, String(folders++));
  mkdirSync(dir);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content);
  return dir;
}

async function failure(options: OpenImagesOptions): Promise<string> {
  const error = await openImages({ cacheDir, ...options }).then(
    () => null,
    (error) => error,
  );
  if (!(error instanceof FlowError)) throw error ?? new Error("no error");
  return `${error.code}: ${error.message}`;
}

const validation = zip(batch(2), true);

describe("the downsampled ImageNet", () => {
  it.each([
    ["stored", false],
    ["deflated", true],
  ])("is read from %s batches", async (_, deflated) => {
    const dataDir = place({
      "train_data_batch_1.npz": zip(batch(5), deflated),
      "train_data_batch_3.npz": zip(batch(2), deflated),
      "val_data.npz": validation,
    });
    const source = await openImages({ data: "imagenet32", dataDir, cacheDir });
    expect(source.remarks[0]).toMatch(/^train_data_batch_2.npz, .* training has 7 images\.$/);
    const { train, test } = openImageData(source);
    expect([train.count, test.count, train.shape]).toEqual([7, 2, { channels: 3, height: 32, width: 32 }]);
    const out = new Uint8Array(VALUES);
    train.read(4, out);
    expect(out).toEqual(noise(5 * VALUES).slice(4 * VALUES));
    train.read(5, out);
    expect(out).toEqual(noise(VALUES));
    expect([0, 1, 2, 3, 4, 5, 6].map((i) => train.label!(i))).toEqual([1, 251, 501, 751, 1001, 1, 251]);

    // A second time nothing is unpacked.
    const calls: string[] = [];
    const again = { data: dataDir, cacheDir, progress: (what: string) => calls.push(what) };
    expect(await openImages(again)).toMatchObject({ trainCount: 7, shape: train.shape });
    expect(calls).toEqual([]);
  });

  it("needs no labels", async () => {
    const files = { "data.npy": batch(3)["data.npy"] };
    const dir = place({ "a.npz": zip(files, true) });
    const { train } = openImageData(await openImages({ data: join(dir, "a.npz"), cacheDir }));
    expect([train.count, train.label]).toEqual([2, undefined]);
  });

  const good = batch(3);
  const damaged = (deflated: boolean) => {
    const bytes = zip(good, deflated);
    const at = bytes.indexOf("data.npy") + 1200;
    bytes[at] ^= 0x55;
    return bytes;
  };
  it.each<[string, Uint8Array, string]>([
    [
      "no data",
      zip({ "labels.npy": good["labels.npy"], "x.npy": good["labels.npy"] }, true),
      'there is no array "data" in it; its arrays: labels, x',
    ],
    [
      "floating-point numbers",
      zip({ ...good, "data.npy": npy("<f4", [1, VALUES], noise(4 * VALUES)) }, true),
      'array "data": numbers of type <f4; images are unsigned bytes',
    ],
    [
      "images of another size",
      zip({ ...good, "data.npy": npy("|u1", [2, 768], noise(1536)) }, true),
      'array "data": shape (2, 768) instead of (images, 3072)',
    ],
    [
      "another number of dimensions",
      zip({ ...good, "data.npy": npy("|u1", [VALUES], noise(VALUES)) }, true),
      `shape (${VALUES}) instead of (images, 3072)`,
    ],
    [
      "Fortran order",
      zip({ ...good, "data.npy": npy("|u1", [1, VALUES], noise(VALUES), "True") }, true),
      "Fortran order is not read",
    ],
    [
      "too little data",
      zip({ ...good, "data.npy": npy("|u1", [2, VALUES], noise(VALUES)) }, true),
      `array "data": ${VALUES} bytes instead of 2 x 3072`,
    ],
    [
      "labels that are fewer than they say",
      zip({ ...good, "labels.npy": npy("<i8", [3], int64(1, 2)) }, true),
      'array "labels": 2 labels for 3 images',
    ],
    [
      "what is no array",
      zip({ ...good, "data.npy": Buffer.from("some text in its place") }, false),
      'array "data": not a .npy file',
    ],
    [
      "other labels",
      zip({ ...good, "labels.npy": npy("<i8", [2], int64(1, 2)) }, true),
      'array "labels": 2 labels for 3 images',
    ],
    [
      "labels out of range",
      zip(batch(3, [1, -2, 3]), true),
      'array "labels", row 2: the label is not one of 0 to 65535',
    ],
    [
      "labels of another type",
      zip({ ...good, "labels.npy": npy("<f8", [3], new Uint8Array(24)) }, true),
      'array "labels": numbers of type <f8; labels are integers',
    ],
    ["a truncated archive", zip(good, true).subarray(0, 3000), "not a complete .npz file"],
    ["another file", Buffer.from("not an archive"), "not a complete .npz file"],
    [
      "an array whose name is damaged",
      Buffer.from(zip(good, true).map((byte, i, all) => (i === all.length - 22 - 1 ? byte ^ 1 : byte))),
      "damaged, the array 'data.npx' has two names",
    ],
    ["damage in a stored array", damaged(false), 'array "data": damaged, its checksum is wrong'],
    ["damage in a deflated array", damaged(true), 'array "data": damaged'],
  ])("names %s", async (_, bytes, message) => {
    const dataDir = place({ "train_data_batch_2.npz": bytes, "val_data.npz": validation });
    const before = new Set(readdirSync(folder).includes("cache") ? readdirSync(cacheDir) : []);
    const text = await failure({ data: "imagenet32", dataDir });
    expect(text).toContain(`input: ${join(dataDir, "train_data_batch_2.npz")}`);
    expect(text).toContain(message);
    const left = readdirSync(folder).includes("cache") ? readdirSync(cacheDir) : [];
    expect(left.filter((name) => !before.has(name))).toEqual([]);
  });

  it("stops at the header of more images than there is room for", async () => {
    vi.stubEnv("MONOTONE_FLOWS_MAX_IMAGES_MB", "0.005");
    const path = join(place({ "x.npz": zip(good, true) }), "x.npz");
    expect(await failure({ data: path })).toBe(
      `input: ${path}: 3 images of 9216 bytes, where the images of a file or folder may have at most 0.005 MB; MONOTONE_FLOWS_MAX_IMAGES_MB raises this limit`,
    );
    vi.unstubAllEnvs();
    expect((await openImages({ data: path, cacheDir })).trainCount).toBe(2);
  });

  it("tells the sizes apart, also those that are unpacked already", async () => {
    const dataDir = place({ "train_data_batch_1.npz": zip(batch(2), true), "val_data.npz": validation });
    expect(await failure({ data: "imagenet64", dataDir })).toContain(
      "shape (2, 3072) instead of (images, 12288)",
    );
    await openImages({ data: "imagenet32", dataDir, cacheDir });
    expect(await failure({ data: "imagenet64", dataDir })).toContain(
      "images of 32 x 32 pixels instead of 64 x 64",
    );
  });

  it("says which files are missing", async () => {
    const dataDir = place({ "train_data_batch_1.npz": zip(batch(2), true) });
    expect(await failure({ data: "imagenet32", dataDir })).toMatch(
      /^input: imagenet32: val_data.npz is not in .*; the downsampled ImageNet .* image-net.org/,
    );
  });
});

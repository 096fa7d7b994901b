/**
 * A folder of PNG and JPEG files, with the folders in it, in the order of their names. Values are those stored
 * in the files: no rotation by EXIF, no colour profiles. An alpha channel is dropped, and the colours of
 * transparent pixels are taken as they are stored. Where one image has colours, grey ones get three equal channels.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { Metadata, Sharp, SharpOptions } from "sharp";
import { check, FlowError } from "../../errors.js";
import { bytesText, checkLimit, imagesLimit, most, pixelsLimit } from "../limits.js";
import { type CacheOptions, cached } from "./cache.js";
import { imageFiles } from "./image-files.js";
import type { ImagePart } from "./image-part.js";
import type { ImageShape } from "./image-set.js";
import { withWriter } from "./raw-writer.js";
import { readStart } from "./unpack.js";

const PIXELS = "pixels";
const DIGESTS = "digests";
/** Of a digest, as many bytes as tell images apart. */
const DIGEST = 16;
/** Images decoded at a time. */
const AT_ONCE = 16;
const SIGNATURES = [
  [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
  [0xff, 0xd8, 0xff],
];

const options: SharpOptions = { failOn: "error", ignoreIcc: true, autoOrient: false };

export interface FolderOptions extends CacheOptions {
  /**
   * Which images are taken: all, or of images with the same pixels the first alone, as a copy of a training image
   * tests nothing; then also none with the pixels of an image of that other part.
   */
  readonly copies: "all" | "once" | { readonly notOf: FolderPart };
}

/** Images of a folder, without copies of one another if so asked for. */
export interface FolderPart extends ImagePart {
  /** What tells whether the files have changed. */
  readonly state: string;
  /** The digests of the images, one after the other. */
  readonly digests: string;
}

/** What the cache says of a folder. */
interface Content {
  readonly shape: ImageShape;
  readonly count: number;
  /** Copies of other images of the folder that were left out. */
  readonly copies: number;
  /** Those of the other part. */
  readonly others: number;
}

/**
 * The images of a folder, decoded into the cache.
 *
 * @throws FlowError `input` that names the file, for one that cannot be decoded, is too large or has more than 8 bits
 *   a channel, two files of different sizes, and a folder without images, or with too many
 */
export async function folderImages(folder: string, options: FolderOptions): Promise<FolderPart> {
  const { files, again } = imageFiles(folder);
  check(files.length > 0, "input", `${folder}: there are no PNG or JPEG files in this folder`);
  const hash = createHash("sha256");
  for (const { name, size, mtimeMs } of files) hash.update(`${name}\0${size}\0${mtimeMs}\0`);
  const { copies } = options;
  const other = typeof copies === "object" ? copies.notOf : null;
  if (other) hash.update(other.state);
  const state = hash.digest("hex");

  const form = copies === "all" ? "folder" : "folder, copies once";
  const paths = files.map(({ path }) => path);
  const source = { path: resolve(folder), state };
  const { folder: unpacked, content } = await cached<Content>(source, form, options, async (to) => {
    const shape = await commonShape(paths, options);
    const bytes = paths.length * shape.channels * shape.height * shape.width;
    checkLimit(imagesLimit, bytes, folder, `${paths.length} images of ${bytesText(bytes)}`);
    const sieve = copies === "all" ? null : new Sieve(other);
    await decodeAll(paths, shape, to, sieve, `decoding ${basename(folder)}`, options);
    return {
      shape,
      count: sieve?.count ?? paths.length,
      copies: sieve?.copies ?? 0,
      others: sieve?.others ?? 0,
    };
  });
  const { shape, count } = content;
  check(count > 0, "input", `${folder}: all images are copies of images in ${other?.source}`);
  const stride = shape.channels * shape.height * shape.width;
  const images = { path: join(unpacked, PIXELS), bytes: count * stride, offset: 0, stride, count };
  const digests = join(unpacked, DIGESTS);
  const remarks = remarksOn(folder, again, content, other);
  return { source: folder, shape, levels: 256, images, remarks, state, digests };
}

function remarksOn(folder: string, again: number, content: Content, other: FolderPart | null): string[] {
  const { copies, others } = content;
  const remarks: string[] = [];
  if (again > 0)
    remarks.push(
      `${folder}: ${again} of the names lead to files or folders that are there already; each is taken once.`,
    );
  if (copies > 0)
    remarks.push(
      `${folder}: ${copies} of the images have the pixels of another one; of copies one is taken.`,
    );
  if (others > 0)
    remarks.push(`${folder}: ${others} of the images are in ${other?.source}, too, and are left out.`);
  return remarks;
}

/** Tells which images have not come yet. */
class Sieve {
  readonly #seen = new Set<string>();
  readonly #others = new Set<string>();
  /** Images that went through, copies of these, and of those of the other part. */
  count = 0;
  copies = 0;
  others = 0;

  constructor(other: FolderPart | null) {
    if (other === null) return;
    const digests = readFileSync(other.digests);
    for (let at = 0; at < digests.length; at += DIGEST)
      this.#others.add(digests.toString("latin1", at, at + DIGEST));
  }

  /** The digest of an image, or null of one that came before. */
  digest(image: Uint8Array): Uint8Array | null {
    const digest = createHash("sha256").update(image).digest().subarray(0, DIGEST);
    const key = digest.toString("latin1");
    if (this.#others.has(key)) this.others++;
    else if (this.#seen.has(key)) this.copies++;
    else {
      this.#seen.add(key);
      this.count++;
      return digest;
    }
    return null;
  }
}

/** The shape of all images, from their headers. */
async function commonShape(paths: readonly string[], { signal }: CacheOptions): Promise<ImageShape> {
  let first: { path: string; width: number; height: number } | null = null;
  let channels = 1;
  for (let start = 0; start < paths.length; start += AT_ONCE) {
    signal?.throwIfAborted();
    const some = paths.slice(start, start + AT_ONCE);
    for (const path of some) {
      const start = readStart(path, 8);
      const known = SIGNATURES.some((bytes) => bytes.every((byte, i) => start[i] === byte));
      check(
        known,
        "input",
        `${path}: ${start.length === 0 ? "the file is empty" : "this is no PNG or JPEG file"}`,
      );
    }
    const found = await Promise.all(some.map((path) => open(path, false, (image) => image.metadata())));
    for (const [i, { width, height, depth, bitsPerSample, space }] of found.entries()) {
      const path = some[i];
      checkLimit(pixelsLimit, width * height, path, `${width} x ${height} pixels`);
      check(
        depth === "uchar",
        "input",
        `${path}: ${bitsPerSample ?? 16} bits a channel, but pixels of 8 bits, 0 to 255, are needed`,
      );
      first ??= { path, width, height };
      check(
        width === first.width && height === first.height,
        "input",
        `${path} has ${width} x ${height} pixels, ${first.path} has ${first.width} x ${first.height}; all images must have one size`,
      );
      if (!isGrey(space)) channels = 3;
    }
  }
  return { channels, height: first!.height, width: first!.width };
}

const isGrey = (space: Metadata["space"]) => space === "b-w";

async function decodeAll(
  paths: readonly string[],
  shape: ImageShape,
  to: string,
  sieve: Sieve | null,
  what: string,
  { signal, progress }: CacheOptions,
): Promise<void> {
  const digests: Uint8Array[] = [];
  await withWriter(join(to, PIXELS), async (writer) => {
    for (let start = 0; start < paths.length; start += AT_ONCE) {
      signal?.throwIfAborted();
      const some = paths.slice(start, start + AT_ONCE);
      const images = await Promise.all(some.map((path) => decode(path, shape)));
      for (const image of images) {
        const digest = sieve?.digest(image);
        if (digest !== null) writer.write(image);
        if (digest) digests.push(digest);
      }
      progress?.(what, (start + some.length) / paths.length);
    }
  });
  await withWriter(join(to, DIGESTS), (writer) => writer.write(Buffer.concat(digests)));
}

/** The values of an image, [channel][y][x]. */
async function decode(path: string, { channels, height, width }: ImageShape): Promise<Uint8Array> {
  const { data, info } = await open(path, most(pixelsLimit), (image) =>
    image
      .removeAlpha()
      .toColourspace(channels === 1 ? "b-w" : "srgb")
      .raw()
      .toBuffer({ resolveWithObject: true }),
  );
  const size = height * width;
  check(
    info.channels === channels && data.length === channels * size,
    "input",
    `${path}: decoded to ${info.width} x ${info.height} pixels in ${info.channels} channels instead of ${width} x ${height} in ${channels}`,
  );
  if (channels === 1) return data;
  const planes = new Uint8Array(data.length);
  for (let channel = 0; channel < channels; channel++) {
    for (let i = 0; i < size; i++) planes[channel * size + i] = data[i * channels + channel];
  }
  return planes;
}

async function open<T>(
  path: string,
  limitInputPixels: number | false,
  action: (image: Sharp) => Promise<T>,
): Promise<T> {
  const { default: sharp } = await import("sharp");
  try {
    return await action(sharp(path, { ...options, limitInputPixels }));
  } catch (cause) {
    const [what] = (cause as Error).message.split("\n");
    throw new FlowError("input", `${path}: the image cannot be decoded (${what})`, { cause });
  }
}

/**
 * A folder of PNG and JPEG files, with the folders in it, in the order of their names. Values are those stored
 * in the files: no rotation by EXIF, no colour profiles. An alpha channel is dropped, and the colours of
 * transparent pixels are taken as they are stored. Where one image has colours, grey ones get three equal channels.
 */
import { createHash } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { basename, join, resolve, sep } from "node:path";
import type { Metadata, Sharp, SharpOptions } from "sharp";
import { check, FlowError } from "../../errors.js";
import { reason } from "../../flows/files.js";
import { type CacheOptions, cached } from "./cache.js";
import type { ImagePart } from "./image-part.js";
import type { ImageShape } from "./image-set.js";
import { withWriter } from "./raw-writer.js";

const PIXELS = "pixels";
const NAME = /\.(png|jpe?g)$/i;
/** Images decoded at a time. */
const AT_ONCE = 16;

const options: SharpOptions = { failOn: "error", ignoreIcc: true, autoOrient: false };

/** The PNG and JPEG files in a folder and the folders in it, sorted; names that start with a dot are left out. */
export function imageFiles(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => NAME.test(name) && !name.split(sep).some((part) => part.startsWith(".")))
      .sort();
  } catch (cause) {
    throw new FlowError("input", `cannot read ${folder}: ${reason(cause)}`, { cause });
  }
}

/**
 * The images of a folder, decoded into the cache.
 *
 * @throws FlowError `input` that names the file, for one that cannot be decoded or has more than 8 bits a
 *   channel, two files of different sizes, and a folder without images
 */
export async function folderImages(folder: string, cacheOptions: CacheOptions): Promise<ImagePart> {
  const names = imageFiles(folder);
  check(names.length > 0, "input", `${folder}: there are no PNG or JPEG files in this folder`);
  const state = createHash("sha256");
  for (const name of names) {
    const { size, mtimeMs } = statSync(join(folder, name));
    state.update(`${name}\0${size}\0${mtimeMs}\0`);
  }
  const source = { path: resolve(folder), state: state.digest("hex") };
  const paths = names.map((name) => join(folder, name));
  const { folder: unpacked, content: shape } = await cached(source, "folder", cacheOptions, async (to) => {
    const shape = await commonShape(paths, cacheOptions);
    await decodeAll(paths, shape, join(to, PIXELS), `decoding ${basename(folder)}`, cacheOptions);
    return shape;
  });
  const stride = shape.channels * shape.height * shape.width;
  const count = paths.length;
  const images = { path: join(unpacked, PIXELS), bytes: count * stride, offset: 0, stride, count };
  return { source: folder, shape, levels: 256, images };
}

/** The shape of all images, from their headers. */
async function commonShape(paths: readonly string[], { signal }: CacheOptions): Promise<ImageShape> {
  let first: { path: string; width: number; height: number } | null = null;
  let channels = 1;
  for (let start = 0; start < paths.length; start += AT_ONCE) {
    signal?.throwIfAborted();
    const some = paths.slice(start, start + AT_ONCE);
    const found = await Promise.all(some.map((path) => open(path, (image) => image.metadata())));
    for (const [i, { width, height, depth, bitsPerSample, format, space }] of found.entries()) {
      const path = some[i];
      check(
        format === "png" || format === "jpeg",
        "input",
        `${path}: a file of format ${format}, not PNG or JPEG`,
      );
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
  what: string,
  { signal, progress }: CacheOptions,
): Promise<void> {
  await withWriter(to, async (writer) => {
    for (let start = 0; start < paths.length; start += AT_ONCE) {
      signal?.throwIfAborted();
      const some = paths.slice(start, start + AT_ONCE);
      const images = await Promise.all(some.map((path) => decode(path, shape)));
      for (const image of images) writer.write(image);
      progress?.(what, (start + some.length) / paths.length);
    }
  });
}

/** The values of an image, [channel][y][x]. */
async function decode(path: string, { channels, height, width }: ImageShape): Promise<Uint8Array> {
  const { data, info } = await open(path, (image) =>
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

async function open<T>(path: string, action: (image: Sharp) => Promise<T>): Promise<T> {
  const { default: sharp } = await import("sharp");
  try {
    return await action(sharp(path, options));
  } catch (cause) {
    const [what] = (cause as Error).message.split("\n");
    throw new FlowError("input", `${path}: the image cannot be decoded (${what})`, { cause });
  }
}

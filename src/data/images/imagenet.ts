/**
 * The downsampled ImageNet (P. Chrabaszcz, I. Loshchilov, F. Hutter, "A Downsampled Variant of ImageNet as an
 * Alternative to the CIFAR datasets", 2017): .npz files of `data`, unsigned bytes, N rows of 3 x side x side
 * values (red, then green, then blue), and `labels`, N integers.
 */
import { basename, join } from "node:path";
import { check } from "../../errors.js";
import { bytesText, checkLimit, imagesLimit } from "../limits.js";
import type { NpyHeader } from "../npy-header.js";
import { type CacheOptions, cached, fileSource } from "./cache.js";
import type { ImagePart } from "./image-part.js";
import { type Npz, withNpz } from "./npz.js";
import { withWriter } from "./raw-writer.js";

const PIXELS = "pixels";
const LABELS = "labels";
const LABEL_BYTES = 2;

/**
 * Images of a .npz batch, unpacked into the cache.
 *
 * @param side width and height in pixels; if null, that of the images in the file
 * @throws FlowError `input` that names the file and the array, if the arrays are others or damaged
 */
export async function imagenetImages(
  path: string,
  side: number | null,
  options: CacheOptions,
): Promise<ImagePart> {
  const source = fileSource(path);
  const { folder, content } = await cached(source, "npz", options, (folder) =>
    withNpz(path, async (npz) => {
      const size = await unpackPixels(npz, path, side, folder, options);
      const labelled = npz.has("labels");
      if (labelled) await unpackLabels(npz, path, size.count, folder, options);
      return { ...size, labelled };
    }),
  );
  const { count, stride, labelled } = content;
  const found = sideOf(stride);
  check(
    side === null || found === side,
    "input",
    `${path}: images of ${found} x ${found} pixels instead of ${side} x ${side}`,
  );
  const shape = { channels: 3, height: found, width: found };
  const images = { path: join(folder, PIXELS), bytes: count * stride, offset: 0, stride, count };
  if (!labelled) return { source: path, shape, levels: 256, images };
  const records = { path: join(folder, LABELS), bytes: count * LABEL_BYTES, offset: 0, stride: LABEL_BYTES };
  return { source: path, shape, levels: 256, images, labels: { ...records, count, width: LABEL_BYTES } };
}

const sideOf = (values: number) => Math.sqrt(values / 3);

async function unpackPixels(
  npz: Npz,
  path: string,
  side: number | null,
  folder: string,
  { signal, progress }: CacheOptions,
): Promise<{ count: number; stride: number }> {
  const place = `${path}, array "data"`;
  let count = 0;
  let stride = 0;
  const checkBytes = (bytes: number) => {
    const expected = count * stride;
    check(
      bytes === expected,
      "input",
      `${place}: ${bytes} bytes instead of ${count} x ${stride} = ${expected}`,
    );
  };
  await withWriter(join(folder, PIXELS), async (writer) => {
    await npz.read("data", ({ type, shape, fortranOrder }: NpyHeader, bytes) => {
      check(
        /^[|<>=]?u1$/.test(type),
        "input",
        `${place}: numbers of type ${type}; images are unsigned bytes (|u1)`,
      );
      check(!fortranOrder, "input", `${place}: Fortran order is not read, only C order`);
      [count, stride] = shape;
      const fits = side === null ? Number.isInteger(sideOf(stride)) : stride === 3 * side * side;
      check(
        shape.length === 2 && count > 0 && stride > 0 && fits,
        "input",
        `${place}: shape (${shape.join(", ")}) instead of (images, ${side === null ? "3 x side x side" : 3 * side * side})`,
      );
      checkBytes(bytes);
      checkLimit(imagesLimit, bytes, path, `${count} images of ${bytesText(bytes)}`);
      return (chunk, share) => {
        signal?.throwIfAborted();
        writer.write(chunk);
        progress?.(`unpacking ${basename(path)}`, share);
      };
    });
    checkBytes(writer.bytes);
  });
  return { count, stride };
}

async function unpackLabels(
  npz: Npz,
  path: string,
  count: number,
  folder: string,
  { signal }: CacheOptions,
): Promise<void> {
  const place = `${path}, array "labels"`;
  let width = 0;
  let row = 0;
  let rest: Uint8Array = new Uint8Array(0);
  await withWriter(join(folder, LABELS), async (writer) => {
    await npz.read("labels", ({ type, shape }, bytes) => {
      width = Number(/^[|<]?[iu]([1248])$/.exec(type)?.[1] ?? 0);
      check(width > 0, "input", `${place}: numbers of type ${type}; labels are integers`);
      const found = shape.reduce((product, size) => product * size, 1);
      check(found === count, "input", `${place}: ${found} labels for ${count} images`);
      check(bytes === count * width, "input", `${place}: ${bytes / width} labels for ${count} images`);
      return (chunk) => {
        signal?.throwIfAborted();
        const numbers = Buffer.concat([rest, chunk]);
        const whole = Math.floor(numbers.length / width);
        const labels = new Uint8Array(whole * LABEL_BYTES);
        for (let i = 0; i < whole; i++, row++) {
          const label = numbers.readUIntLE(i * width, Math.min(width, 6));
          const above = width === 8 ? numbers.readUInt16LE(i * width + 6) : 0;
          check(
            label < 2 ** (8 * LABEL_BYTES) && above === 0,
            "input",
            `${place}, row ${row + 1}: the label is not one of 0 to 65535`,
          );
          labels[2 * i] = label & 0xff;
          labels[2 * i + 1] = label >> 8;
        }
        writer.write(labels);
        rest = numbers.subarray(whole * width);
      };
    });
  });
  check(row === count, "input", `${place}: ${row} labels for ${count} images`);
}

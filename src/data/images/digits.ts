/**
 * The 8 x 8 digits that ship with the package: the test part of "Optical Recognition of Handwritten Digits"
 * (E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998, CC BY 4.0). 1,797 images of 64 pixels
 * 0 .. 16 and their labels, packed as an IDX file of 1,797 rows of 65 bytes. The rows stand in the order of
 * the writers, so they are shuffled, always alike, before 297 are held out for testing.
 *
 * Nothing here needs files: a browser fetches the asset.
 */
import { check, FlowError } from "../../errors.js";
import { shuffledOrder } from "../shuffled-order.js";
import { checkIdxLength, idxDimensions, idxHeaderLength } from "./idx.js";
import type { ImageData, ImageSet, ImageShape } from "./image-set.js";
import { recordImages } from "./records.js";

export const digitsShape: ImageShape = { channels: 1, height: 8, width: 8 };
export const digitsLevels = 17;
export const digitsCount = { train: 1500, test: 297 } as const;
/** Where the asset lies in the package. */
export const digitsAsset = "assets/digits/optdigits-idx2-ubyte.gz";

const PIXELS = 64;
/** Pixels and label. */
export const digitsRow = PIXELS + 1;
const CLASSES = 10;
const SEED = 0;

/**
 * The digits of the asset's unpacked bytes; `path` names the file in errors.
 *
 * @throws FlowError `input` if they are not the 1,797 rows of the asset, or a value is out of range
 */
export function digitsFrom(bytes: Uint8Array, path: string = digitsAsset): ImageData {
  const [count, columns] = idxDimensions(bytes.subarray(0, idxHeaderLength(2)), 2, path);
  checkIdxLength([count, columns], bytes.length, path);
  const { train, test } = digitsCount;
  check(
    count === train + test && columns === digitsRow,
    "input",
    `${path}: ${count} x ${columns} values instead of ${train + test} x ${digitsRow}`,
  );
  const rows = bytes.subarray(idxHeaderLength(2));
  checkDigits(rows, (row, column) => `${path}, row ${row + 1}, column ${column + 1}`);

  const part = { path, bytes: rows.length, stride: digitsRow, count } as const;
  const parts = [{ images: { ...part, offset: 0 }, labels: { ...part, offset: PIXELS, width: 1 as const } }];
  const set = (count: number, first: number): ImageSet =>
    recordImages(
      digitsShape,
      digitsLevels,
      { count, parts, split: { seed: SEED, first } },
      () => (out, position) => out.set(rows.subarray(position, position + out.length)),
      shuffledOrder,
    );
  return { name: "digits", train: set(train, test), test: set(test, 0), close() {} };
}

/** The digits of the asset's bytes as they lie in the file, packed; in Node and in a browser. */
export async function decodeDigits(packed: Uint8Array): Promise<ImageData> {
  const stream = new Blob([packed as Uint8Array<ArrayBuffer>])
    .stream()
    .pipeThrough(new DecompressionStream("gzip"));
  let bytes: ArrayBuffer;
  try {
    bytes = await new Response(stream).arrayBuffer();
  } catch (cause) {
    throw new FlowError("input", `${digitsAsset}: not a complete gzip file`, { cause });
  }
  return digitsFrom(new Uint8Array(bytes));
}

/** The digits, with the asset fetched from where a page serves it; a server may send it unpacked. */
export async function fetchDigits(url: string | URL): Promise<ImageData> {
  const response = await fetch(url);
  check(response.ok, "input", `${url}: cannot be fetched (${response.status} ${response.statusText})`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return packed ? await decodeDigits(bytes) : digitsFrom(bytes, String(url));
}

/** Throws a `FlowError` of code `input` unless all pixels are 0 .. 16 and all labels 0 .. 9. */
export function checkDigits(rows: ArrayLike<number>, place: (row: number, column: number) => string): void {
  for (let i = 0; i < rows.length; i++) {
    const column = i % digitsRow;
    const last = column < PIXELS ? digitsLevels - 1 : CLASSES - 1;
    const value = rows[i];
    if (Number.isInteger(value) && value >= 0 && value <= last) continue;
    const what = column < PIXELS ? "a pixel" : "a label";
    throw new FlowError(
      "input",
      `${place((i - column) / digitsRow, column)}: ${what} is an integer from 0 to ${last}, not ${value}`,
    );
  }
}

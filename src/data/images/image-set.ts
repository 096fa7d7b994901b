/** Sets of images of one shape, read one at a time: what a flow of images learns from. */
import { check } from "../../errors.js";

/** Sizes in pixels. */
export interface ImageShape {
  /** 1 for grey, 3 for coloured images. */
  readonly channels: number;
  /** Pixels from top to bottom. */
  readonly height: number;
  /** Pixels from left to right. */
  readonly width: number;
}

/** Images of one shape, integers 0 .. levels - 1. */
export interface ImageSet {
  /** Of every image. */
  readonly shape: ImageShape;
  /** One more than the largest value. */
  readonly levels: number;
  /** Images in the set. */
  readonly count: number;
  /**
   * Writes image `index` to `out`, [channel][y][x]. Synchronous, random access.
   *
   * @throws FlowError `usage` for an index or a length of `out` that does not fit, `input` if the file has
   *   become shorter or cannot be read any more
   */
  read(index: number, out: Uint8Array): void;
  /** The class of image `index` as the data set numbers it; absent where classes are not known. */
  label?(index: number): number;
}

/** Images to train on and to test with, of the same shape and levels. */
export interface ImageData {
  /** What reports call the data. */
  readonly name: string;
  /** Images to train on. */
  readonly train: ImageSet;
  /** Images to test with, of which none is trained on. */
  readonly test: ImageSet;
  /** Closes the files; nothing can be read afterwards. */
  close(): void;
}

/** The number of values of an image. */
export function imageSize({ channels, height, width }: ImageShape): number {
  return channels * height * width;
}

export function sameShape(a: ImageShape, b: ImageShape): boolean {
  return a.channels === b.channels && a.height === b.height && a.width === b.width;
}

/** A shape in words: `32 x 24 pixels, 3 channels` (width x height). */
export function shapeText({ channels, height, width }: ImageShape): string {
  return `${width} x ${height} pixels, ${channels} channel${channels === 1 ? "" : "s"}`;
}

/** Throws a `FlowError` of code `usage` unless image `index` exists and fits into `out`. */
export function checkRead(set: ImageSet, index: number, out: Uint8Array): void {
  checkIndex(set, index);
  const size = imageSize(set.shape);
  check(out.length === size, "usage", `an image of ${size} values does not fit ${out.length} bytes`);
}

/** Throws a `FlowError` of code `usage` unless image `index` exists. */
export function checkIndex({ count }: ImageSet, index: number): void {
  check(
    Number.isInteger(index) && index >= 0 && index < count,
    "usage",
    `there is no image ${index}: the set has ${count}, counted from 0`,
  );
}

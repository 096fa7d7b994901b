/**
 * Every source of images comes down to records of equal length in raw files: record i of a file starts at
 * offset + i stride. An IDX file of 28 x 28 images has offset 16 and stride 784; a CIFAR-10 file has stride
 * 3073 and its images start at 1, after their labels.
 */
import { checkIndex, checkRead, type ImageSet, type ImageShape } from "./image-set.js";

/** Records of equal length in a file of `bytes` bytes. */
export interface Records {
  readonly path: string;
  readonly bytes: number;
  readonly offset: number;
  readonly stride: number;
  readonly count: number;
}

/** Images of one file, and their labels: integers of `width` bytes, the lowest first. */
export interface RawPart {
  readonly images: Records;
  readonly labels?: Records & { readonly width: 1 | 2 };
}

/** Images of several files in their order; `split` takes some of them in a shuffled order instead. */
export interface RawSet {
  readonly count: number;
  readonly parts: readonly RawPart[];
  /** This set holds the images `first` .. `first + count - 1` of all, shuffled with `seed`. */
  readonly split?: { readonly seed: number; readonly first: number };
}

/** Reads as many bytes as `out` holds, from a position. */
export type ReadAt = (out: Uint8Array, position: number) => void;

/** The set of images that the description stands for; `open` gives the bytes of a file. */
export function recordImages(
  shape: ImageShape,
  levels: number,
  set: RawSet,
  open: (records: Records) => ReadAt,
  shuffled: (count: number, seed: number) => Uint32Array,
): ImageSet {
  const parts = set.parts.map(({ images, labels }) => ({
    images: { ...images, readAt: open(images) },
    labels: labels && { ...labels, readAt: open(labels) },
  }));
  const total = parts.reduce((sum, { images }) => sum + images.count, 0);
  const order = set.split && shuffled(total, set.split.seed);
  const first = set.split?.first ?? 0;

  const find = (index: number) => {
    let at = order ? order[first + index] : index;
    for (const part of parts) {
      if (at < part.images.count) return { part, at };
      at -= part.images.count;
    }
    throw new RangeError(`image ${index} is in none of the files`);
  };
  const images: ImageSet = {
    shape,
    levels,
    count: set.count,
    read(index, out) {
      checkRead(images, index, out);
      const { part, at } = find(index);
      part.images.readAt(out, part.images.offset + at * part.images.stride);
    },
  };
  if (parts.length === 0 || parts.some(({ labels }) => labels === undefined)) return images;
  const bytes = new Uint8Array(2);
  images.label = (index) => {
    checkIndex(images, index);
    const { part, at } = find(index);
    const { readAt, offset, stride, width } = part.labels!;
    readAt(bytes.subarray(0, width), offset + at * stride);
    return width === 1 ? bytes[0] : bytes[0] + 256 * bytes[1];
  };
  return images;
}

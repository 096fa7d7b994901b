import { check } from "../../errors.js";
import type { CacheOptions } from "./cache.js";
import { checkIdxLength, idxDimensions, idxHeaderLength, idxLength } from "./idx.js";
import type { ImagePart } from "./image-part.js";
import { type Header, type PlainFile, plainFile, readStart } from "./unpack.js";

/** Images of an IDX file of unsigned bytes, gzipped or not, with their labels if there is a file of them. */
export async function idxImages(
  path: string,
  labels: string | null,
  options: CacheOptions,
): Promise<ImagePart> {
  const file = await plainFile(path, options, header(3), (file) => dimensions(file, 3));
  const [count, height, width] = dimensions(file, 3);
  const shape = { channels: 1, height, width };
  const { bytes } = file;
  const images = { path: file.path, bytes, offset: idxHeaderLength(3), stride: height * width, count };
  if (labels === null) return { source: path, shape, levels: 256, images };

  const labelled = await plainFile(labels, options, header(1), (file) => dimensions(file, 1));
  const [named] = dimensions(labelled, 1);
  check(named === count, "input", `${labels}: ${named} labels for ${count} images in ${path}`);
  const place = { path: labelled.path, bytes: labelled.bytes, offset: idxHeaderLength(1) };
  return { source: path, shape, levels: 256, images, labels: { ...place, stride: 1, count, width: 1 } };
}

function dimensions({ source, path, bytes }: PlainFile, expected: number): number[] {
  const sizes = idxDimensions(readStart(path, idxHeaderLength(expected)), expected, source);
  checkIdxLength(sizes, bytes, source);
  return sizes;
}

const header = (dimensions: number): Header => ({
  bytes: idxHeaderLength(dimensions),
  length: (start, source) => idxLength(idxDimensions(start, dimensions, source)),
});

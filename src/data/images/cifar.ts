/**
 * The binary version of CIFAR-10 (A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images",
 * 2009): records of a label 0 .. 9 and 32 x 32 pixels of red, then green, then blue.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { check } from "../../errors.js";
import type { CacheOptions } from "./cache.js";
import type { ImagePart } from "./image-part.js";
import { type PlainFile, plainFile } from "./unpack.js";

const shape = { channels: 3, height: 32, width: 32 } as const;
const RECORD = 1 + 3 * 32 * 32;
const CLASSES = 10;
/** Records read at once while labels are checked. */
const CHUNK = 256;

/** Images of a CIFAR-10 batch, gzipped or not; throws a `FlowError` of code `input` that names the file. */
export async function cifarImages(path: string, options: CacheOptions): Promise<ImagePart> {
  const file = await plainFile(path, options, null, checkBatch);
  const { bytes } = file;
  const records = { path: file.path, bytes, stride: RECORD, count: bytes / RECORD };
  const images = { ...records, offset: 1 };
  return { source: path, shape, levels: 256, images, labels: { ...records, offset: 0, width: 1 } };
}

function checkBatch({ source, path, bytes }: PlainFile): void {
  check(
    bytes > 0 && bytes % RECORD === 0,
    "input",
    `${source}: wrong length, ${bytes} bytes; a CIFAR-10 file consists of records of ${RECORD} bytes, a label and 32 x 32 pixels in 3 channels`,
  );
  // A label out of range means that the records are others: those of CIFAR-100 have two labels.
  const chunk = new Uint8Array(CHUNK * RECORD);
  const file = openSync(path, "r");
  try {
    for (let start = 0; start < bytes; ) {
      const read = readSync(file, chunk, 0, chunk.length, start);
      check(read > 0, "input", `${source} has become shorter while it was read`);
      for (let at = (RECORD - (start % RECORD)) % RECORD; at < read; at += RECORD) {
        check(
          chunk[at] < CLASSES,
          "input",
          `${source}, record ${(start + at) / RECORD + 1}: label ${chunk[at]} is not one of 0 to ${CLASSES - 1}; this is not a CIFAR-10 file`,
        );
      }
      start += read;
    }
  } finally {
    closeSync(file);
  }
}

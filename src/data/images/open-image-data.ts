import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { check, FlowError } from "../../errors.js";
import { reason } from "../../files.js";
import { packageRoot } from "../../package.js";
import { shuffledOrder } from "../shuffled-order.js";
import { digitsAsset, digitsFrom } from "./digits.js";
import type { ImageData } from "./image-set.js";
import type { ImageSource } from "./image-source.js";
import { type RawSet, type ReadAt, type Records, recordImages } from "./records.js";

/**
 * Opens the images that `openImages` has found. Every image is read from its file when it is asked for, so
 * that memory stays the same however large the set is; every caller has its own file descriptors.
 *
 * @throws FlowError `input` if a file is not there any more, or has another length than it had
 */
export function openImageData(source: ImageSource): ImageData {
  if (source.kind === "digits") {
    const path = fileURLToPath(new URL(digitsAsset, packageRoot()));
    try {
      return digitsFrom(gunzipSync(readFileSync(path)), path);
    } catch (cause) {
      if (cause instanceof FlowError) throw cause;
      throw new FlowError("input", `cannot read ${path}: ${reason(cause)}`, { cause });
    }
  }

  const files = new Map<string, number>();
  const close = () => {
    for (const file of files.values()) closeSync(file);
    files.clear();
  };
  const open = (records: Records): ReadAt => {
    const { path } = records;
    if (!files.has(path)) files.set(path, openFile(records));
    return (out, position) => {
      const file = files.get(path);
      check(file !== undefined, "usage", `${path}: the images have been closed`);
      readFully(file, out, position, path);
    };
  };
  const orders = new Map<string, Uint32Array>();
  const shuffled = (count: number, seed: number) => {
    const key = `${count} ${seed}`;
    const order = orders.get(key) ?? shuffledOrder(count, seed);
    orders.set(key, order);
    return order;
  };

  const { name, shape, levels } = source;
  const images = (set: RawSet) => recordImages(shape, levels, set, open, shuffled);
  try {
    return { name, train: images(source.train), test: images(source.test), close };
  } catch (error) {
    close();
    throw error;
  }
}

function openFile({ path, bytes }: Records): number {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (cause) {
    throw new FlowError("input", `cannot read ${path}: ${reason(cause)}`, { cause });
  }
  const { size } = fstatSync(file);
  if (size === bytes) return file;
  closeSync(file);
  throw new FlowError("input", `${path} has changed: ${size} bytes instead of ${bytes}`);
}

function readFully(file: number, out: Uint8Array, position: number, path: string): void {
  let read = 0;
  try {
    while (read < out.length) {
      const got = readSync(file, out, read, out.length - read, position + read);
      if (got === 0) break;
      read += got;
    }
  } catch (cause) {
    throw new FlowError("input", `cannot read ${path}: ${reason(cause)}`, { cause });
  }
  check(read === out.length, "input", `${path} has become shorter while it was read`);
}

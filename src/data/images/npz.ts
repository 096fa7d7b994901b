/**
 * NumPy's .npz files: zip archives, stored or deflated, of one .npy file for each array. An array is streamed,
 * so that memory does not depend on its size.
 */
import type { Readable } from "node:stream";
import * as zlib from "node:zlib";
import * as yauzl from "yauzl";
import { check, FlowError, quoted } from "../../errors.js";
import { reason } from "../../files.js";
import { type NpyHeader, parseNpyHeader } from "../npy-header.js";
import { checkIsFile } from "../read-bytes.js";

/** A header longer than this is none. */
const MAX_HEADER = 1 << 16;
/** An archive of more files than this is another one, and so many are named. */
const MAX_ENTRIES = 10_000;
const SHOWN = 10;
/** Missing in the first versions of Node 20, where damage is then found only if the numbers do not unpack. */
const crc32 = zlib.crc32 as typeof zlib.crc32 | undefined;

/** Takes the numbers of an array as they come; `share` of them have come, 0 to 1. */
type Consume = (chunk: Uint8Array, share: number) => void;

/** The arrays of a .npz file, by name. */
export interface Npz {
  has(name: string): boolean;
  /**
   * Streams an array. `open` judges its header, and the number of bytes that follow it as the archive says, and
   * returns what takes these bytes; there are never more.
   *
   * @throws FlowError `input` that names the file and the array, if it is damaged or is not there
   */
  read(name: string, open: (header: NpyHeader, bytes: number) => Consume): Promise<void>;
}

/** Opens a .npz file for `action`, and closes it; throws a `FlowError` of code `input` if it is no zip archive. */
export async function withNpz<T>(path: string, action: (npz: Npz) => Promise<T>): Promise<T> {
  checkIsFile(path);
  let zip: yauzl.ZipFile;
  const entries = new Map<string, yauzl.Entry>();
  try {
    zip = await yauzl.openPromise(path, { autoClose: false });
  } catch (cause) {
    throw unreadable(path, cause);
  }
  try {
    try {
      check(
        zip.entryCount <= MAX_ENTRIES,
        "input",
        `${path}: an archive of ${zip.entryCount} files is no .npz file`,
      );
      for await (const entry of zip.eachEntry()) {
        const name = entry.fileName.replace(/\.npy$/, "");
        check(!entries.has(name), "input", `${path}: there are two arrays ${quoted(name)} in it`);
        // No checksum guards names: each stands in the archive twice.
        const { fileName } = await zip.readLocalFileHeaderPromise(entry);
        check(
          fileName.equals(entry.fileNameRaw),
          "input",
          `${path}: damaged, the array ${quoted(name)} has two names`,
        );
        entries.set(name, entry);
      }
    } catch (cause) {
      if (cause instanceof FlowError) throw cause;
      throw unreadable(path, cause);
    }
    return await action({
      has: (name) => entries.has(name),
      async read(name, open) {
        const entry = entries.get(name);
        const names = [...entries.keys()].sort().slice(0, SHOWN).join(", ") || "none";
        check(
          entry !== undefined,
          "input",
          `${path}: there is no array "${name}" in it; its arrays: ${names}`,
        );
        await readArray(zip, entry, `${path}, array "${name}"`, open);
      },
    });
  } finally {
    zip.close();
  }
}

async function readArray(
  zip: yauzl.ZipFile,
  entry: yauzl.Entry,
  place: string,
  open: (header: NpyHeader, bytes: number) => Consume,
): Promise<void> {
  let crc = 0;
  let start: Uint8Array = new Uint8Array(0);
  let consume: Consume | null = null;
  let done = 0;
  try {
    const stream: Readable = await zip.openReadStreamPromise(entry);
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      if (crc32) crc = crc32(chunk, crc);
      done += chunk.length;
      if (consume) {
        consume(chunk, done / entry.uncompressedSize);
        continue;
      }
      start = Buffer.concat([start, chunk]);
      const header = parseNpyHeader(start, place);
      if (header) {
        consume = open(header, entry.uncompressedSize - header.start);
        consume(start.subarray(header.start), done / entry.uncompressedSize);
      } else {
        check(start.length < MAX_HEADER, "input", `${place}: the header of the array does not end`);
      }
    }
  } catch (cause) {
    if (cause instanceof FlowError || (cause as Error).name === "AbortError") throw cause;
    throw new FlowError("input", `${place}: damaged or incomplete (${(cause as Error).message})`, { cause });
  }
  check(consume !== null, "input", `${place}: the file ends within its header`);
  check(!crc32 || crc === entry.crc32, "input", `${place}: damaged, its checksum is wrong`);
}

function unreadable(path: string, cause: unknown): FlowError {
  const { code } = cause as NodeJS.ErrnoException;
  return code
    ? new FlowError("input", `cannot read ${path}: ${reason(cause)}`, { cause })
    : new FlowError("input", `${path}: not a complete .npz file (${(cause as Error).message})`, { cause });
}

import { closeSync, createReadStream, openSync, readSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { check, FlowError } from "../../errors.js";
import { reason } from "../../files.js";
import { bytesText, checkLimit, imagesLimit } from "../limits.js";
import { checkIsFile } from "../read-bytes.js";
import { type CacheOptions, cached, fileSource } from "./cache.js";
import { withWriter } from "./raw-writer.js";

const UNPACKED = "unpacked";

/** A file of bytes as they are: the file itself, or what a gzip file holds, unpacked into the cache. */
export interface PlainFile {
  /** The file that a person knows, for errors. */
  readonly source: string;
  readonly path: string;
  readonly bytes: number;
}

/** The length of a file of some format, or null if its first bytes do not tell; throws if it is another format. */
export interface Header {
  /** The number of bytes that tell. */
  readonly bytes: number;
  length(start: Uint8Array, source: string): number;
}

/**
 * Makes sure that a file lies unpacked on the disk; whether it is a gzip file is told by its first bytes, as
 * some browsers unpack what they download and keep its name. Unpacking stops where the file becomes longer than its
 * header says, or than `imagesLimit`.
 *
 * @param header how long the unpacked file says that it is; null if the format does not tell
 * @param checkFile judges the unpacked file; what it throws keeps the file out of the cache
 * @throws FlowError `input` that names the file, if it cannot be read, is not a complete gzip file or too large
 */
export async function plainFile(
  path: string,
  options: CacheOptions,
  header: Header | null,
  checkFile: (file: PlainFile) => void,
): Promise<PlainFile> {
  checkIsFile(path);
  const source = fileSource(path);
  const magic = readStart(path, 2);
  if (magic[0] !== 0x1f || magic[1] !== 0x8b) {
    const file = { source: path, path: source.path, bytes: statSync(path).size };
    checkFile(file);
    return file;
  }
  const { folder, content } = await cached(source, "gzip", options, async (folder) => {
    const unpacked = join(folder, UNPACKED);
    const bytes = await gunzip(path, unpacked, header, options);
    checkFile({ source: path, path: unpacked, bytes });
    return bytes;
  });
  return { source: path, path: join(folder, UNPACKED), bytes: content };
}

async function gunzip(
  path: string,
  to: string,
  header: Header | null,
  { signal, progress }: CacheOptions,
): Promise<number> {
  const packed = createReadStream(path);
  const { size } = statSync(path);
  const what = `unpacking ${basename(path)}`;
  return await withWriter(to, async (writer) => {
    const start: number[] = [];
    // The pipeline itself may only say that it was aborted.
    let failure: FlowError | null = null;
    let expected = Number.POSITIVE_INFINITY;
    /** Reads the header as soon as it is there. */
    const look = (chunk: Uint8Array) => {
      if (header === null || start.length >= header.bytes) return;
      start.push(...chunk.subarray(0, header.bytes - start.length));
      if (start.length < header.bytes) return;
      expected = header.length(Uint8Array.from(start), path);
      checkLimit(imagesLimit, expected, path, `its header promises ${bytesText(expected)}`);
    };
    try {
      await pipeline(
        packed,
        createGunzip({ chunkSize: 1 << 18 }),
        async (chunks: AsyncIterable<Uint8Array>) => {
          for await (const chunk of chunks) {
            try {
              look(chunk);
              const length = writer.bytes + chunk.length;
              const sentence = `${path}: too long, unpacks to more than the ${expected} bytes of its header`;
              check(length <= expected, "input", sentence);
              checkLimit(imagesLimit, length, path, `its ${bytesText(size)} unpack to more`);
              writer.write(chunk);
            } catch (cause) {
              failure = cause as FlowError;
              throw cause;
            }
            progress?.(what, packed.bytesRead / size);
          }
        },
        signal ? { signal } : {},
      );
    } catch (cause) {
      if (failure || signal?.aborted) throw failure ?? cause;
      const { code, message } = cause as NodeJS.ErrnoException;
      const corrupt = code?.startsWith("Z_") ? `not a complete gzip file (${message})` : reason(cause);
      throw new FlowError("input", `${path}: ${corrupt}`, { cause });
    }
    return writer.bytes;
  });
}

/** The first bytes of a file, fewer if it is shorter; throws a `FlowError` of code `input`. */
export function readStart(path: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  try {
    const file = openSync(path, "r");
    try {
      return bytes.subarray(0, readSync(file, bytes, 0, length, 0));
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw new FlowError("input", `cannot read ${path}: ${reason(cause)}`, { cause });
  }
}

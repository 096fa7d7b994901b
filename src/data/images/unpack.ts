import { closeSync, createReadStream, openSync, readSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { FlowError } from "../../errors.js";
import { reason } from "../../flows/files.js";
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

/**
 * Makes sure that a file lies unpacked on the disk; whether it is a gzip file is told by its first bytes, as
 * some browsers unpack what they download and keep its name.
 *
 * @param checkFile judges the unpacked file; what it throws keeps the file out of the cache
 * @throws FlowError `input` that names the file, if it cannot be read or is not a complete gzip file
 */
export async function plainFile(
  path: string,
  options: CacheOptions,
  checkFile: (file: PlainFile) => void,
): Promise<PlainFile> {
  const source = fileSource(path);
  const magic = readStart(path, 2);
  if (magic[0] !== 0x1f || magic[1] !== 0x8b) {
    const file = { source: path, path: source.path, bytes: statSync(path).size };
    checkFile(file);
    return file;
  }
  const { folder, content } = await cached(source, "gzip", options, async (folder) => {
    const unpacked = join(folder, UNPACKED);
    const bytes = await gunzip(path, unpacked, options);
    checkFile({ source: path, path: unpacked, bytes });
    return bytes;
  });
  return { source: path, path: join(folder, UNPACKED), bytes: content };
}

async function gunzip(path: string, to: string, { signal, progress }: CacheOptions): Promise<number> {
  const packed = createReadStream(path);
  const { size } = statSync(path);
  const what = `unpacking ${basename(path)}`;
  return await withWriter(to, async (writer) => {
    try {
      await pipeline(
        packed,
        createGunzip({ chunkSize: 1 << 18 }),
        async (chunks: AsyncIterable<Uint8Array>) => {
          for await (const chunk of chunks) {
            writer.write(chunk);
            progress?.(what, packed.bytesRead / size);
          }
        },
        signal ? { signal } : {},
      );
    } catch (cause) {
      if (cause instanceof FlowError || signal?.aborted) throw cause;
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

/** The bytes of files of data: regular ones, as a pipe or a device may never end. */
import { closeSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { FlowError } from "../errors.js";
import { reason } from "../files.js";
import { beyond, bytesText, checkLimit, most, tableLimit } from "./limits.js";

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EACCES: "no permission to read the file",
  EPERM: "no permission to read the file",
};

/** What a shell has opened for us; a pipe there ends when its writer does, and opening it waits for nobody. */
const OPENED = /^\/dev\/(stdin|fd\/\d+)$/;
const CHUNK = 1 << 20;

/** Throws a `FlowError` of code `input` that says so if a path is anything but a file, or a file that cannot be found. */
export function checkIsFile(path: string): Stats {
  const found = attempt(path, () => statSync(path));
  if (found.isFile() || (found.isFIFO() && OPENED.test(path))) return found;
  const what = found.isDirectory()
    ? "directory"
    : found.isFIFO()
      ? "named pipe"
      : found.isSocket()
        ? "socket"
        : "device";
  throw new FlowError("input", `${path}: this is a ${what}, not a file`);
}

/**
 * The bytes of the file of a table, unpacked if its name ends in .gz.
 *
 * @throws FlowError `input` for what is no file or cannot be read, and if it holds more than `tableLimit`
 */
export function readBytes(path: string): Uint8Array {
  checkLimit(tableLimit, checkIsFile(path).size, path, "a larger file");
  const bytes = attempt(path, () => readAll(path, most(tableLimit)));
  if (!path.endsWith(".gz")) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: most(tableLimit) });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE")
      throw beyond(tableLimit, path, `its ${bytesText(bytes.length)} unpack to more`);
    throw new FlowError("input", `${path}: not a complete gzip file, though its name ends in .gz`, { cause });
  }
}

/** Reads to the end; throws as soon as there is more than `limit`, however long the file may say that it is. */
function readAll(path: string, limit: number): Uint8Array {
  const file = openSync(path, "r");
  try {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const chunk = new Uint8Array(CHUNK);
      const read = readSync(file, chunk, 0, CHUNK, null);
      if (read === 0) break;
      length += read;
      if (length > limit) throw beyond(tableLimit, path, "it goes on after that");
      chunks.push(chunk.subarray(0, read));
    }
    if (chunks.length === 1) return chunks[0];
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}

function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    if (cause instanceof FlowError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    throw new FlowError("input", `${path}: ${REASONS[code ?? ""] ?? `cannot be read (${reason(cause)})`}`, {
      cause,
    });
  }
}

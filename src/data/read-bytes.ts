import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { FlowError } from "../errors.js";

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EISDIR: "this is a directory, not a file",
  EACCES: "no permission to read the file",
  EPERM: "no permission to read the file",
};

/** The bytes of a file, unpacked if its name ends in .gz; throws a `FlowError` of code `input`. */
export function readBytes(path: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new FlowError("input", `${path}: ${REASONS[code ?? ""] ?? `cannot be read (${message})`}`, {
      cause,
    });
  }
  if (!path.endsWith(".gz")) return bytes;
  try {
    return gunzipSync(bytes);
  } catch (cause) {
    throw new FlowError("input", `${path}: not a complete gzip file, though its name ends in .gz`, { cause });
  }
}

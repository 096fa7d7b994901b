/** Writing so that nothing half-written is ever left behind: beside the target, flushed, then renamed. */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { FlowError } from "../errors.js";

/** Replaces the file by `content`, or leaves it as it was and throws an `output` error that names it. */
export function writeFileAtomically(path: string, content: string | Uint8Array): void {
  const temporary = `${path}.${process.pid}.partial`;
  let unmake = () => {};
  try {
    unmake = makeFolder(dirname(path));
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const file = openSync(temporary, "w");
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (cause) {
    try {
      rmSync(temporary, { force: true });
    } catch {} // The first error says what is wrong.
    unmake();
    throw new FlowError("output", `cannot write ${path}: ${reason(cause)}`, { cause });
  }
}

/** Makes a folder and those above it; what it returns removes again the ones that were made, as far as they are empty. */
export function makeFolder(path: string): () => void {
  const first = mkdirSync(path, { recursive: true });
  return () => {
    if (first === undefined) return;
    try {
      for (let folder = resolve(path); ; folder = dirname(folder)) {
        rmdirSync(folder);
        if (folder === resolve(first)) return;
      }
    } catch {} // Somebody else has put something there.
  };
}

/** The bytes of a file; throws an error of the given code that names it. */
export function readFile(path: string, code: "input" | "run" = "input"): Uint8Array {
  try {
    // Not the Buffer itself: its methods share memory where those of Uint8Array copy.
    const { buffer, byteOffset, byteLength } = readFileSync(path);
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch (cause) {
    throw new FlowError(code, `cannot read ${path}: ${reason(cause)}`, { cause });
  }
}

const REASONS: Record<string, string> = {
  ENOENT: "there is no such file or folder",
  ENOTDIR: "a part of the path is a file, not a folder",
  EISDIR: "it is a folder",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EEXIST: "a file is in the place of a folder",
  EFBIG: "the file would be larger than allowed",
};

/** An operating system's error in words. */
export function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return REASONS[code ?? ""] ?? message;
}

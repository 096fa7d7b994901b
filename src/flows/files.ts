/** Writing so that nothing half-written is ever left behind: beside the target, flushed, then renamed. */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { FlowError } from "../errors.js";

/** Replaces the file by `content`, or leaves it as it was and throws an `output` error that names it. */
export function writeFileAtomically(path: string, content: string | Uint8Array): void {
  const temporary = `${path}.${process.pid}.partial`;
  try {
    mkdirSync(dirname(path), { recursive: true });
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
    throw new FlowError("output", `cannot write ${path}: ${reason(cause)}`, { cause });
  }
}

/** The bytes of a file; throws an error of the given code that names it. */
export function readFile(path: string, code: "input" | "run" = "input"): Uint8Array {
  try {
    return readFileSync(path);
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
  EEXIST: "something else is in its place",
  EFBIG: "the file would be larger than allowed",
};

/** An operating system's error in words. */
export function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return REASONS[code ?? ""] ?? message;
}

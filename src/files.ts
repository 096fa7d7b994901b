/** Writing so that nothing half-written is ever left behind: beside the target, flushed, then renamed. */
import {
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { FlowError } from "./errors.js";

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

/**
 * Makes a folder and those above it, one by one: Node's own way of doing it (version 20) never ends where none can be
 * made, and says of a read-only folder that it is not there. What it returns removes again the folders that were made,
 * as far as they are empty.
 */
export function makeFolder(path: string): () => void {
  const missing: string[] = [];
  for (let folder = resolve(path); !isFolder(folder); folder = dirname(folder)) missing.push(folder);
  const made: string[] = [];
  const unmake = () => {
    try {
      for (let folder = made.pop(); folder !== undefined; folder = made.pop()) rmdirSync(folder);
    } catch {} // Somebody else has put something there.
  };
  try {
    for (const folder of missing.reverse()) {
      if (makeOne(folder)) made.push(folder);
    }
  } catch (error) {
    unmake();
    throw error;
  }
  return unmake;
}

/** Whether there is a folder of that path; throws if there is something else, or a link to nowhere. */
function isFolder(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory()) return true;
  const nothing = found === undefined && lstatSync(path, { throwIfNoEntry: false }) === undefined;
  if (nothing && dirname(path) !== path) return false;
  throw new Error(found ? `${path} is in the place of a folder` : `${path} is a link to nowhere`);
}

/** Makes one folder, unless another process has just done so. */
function makeOne(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" && isFolder(path)) return false;
    // The folder above is there, so it is one of those, as /proc, that have only what the system puts there.
    if (code === "ENOENT") throw new Error(`no folder can be made in ${dirname(path)}`, { cause: error });
    throw error;
  }
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
  ELOOP: "links lead in a circle",
  ENAMETOOLONG: "the name is too long",
  EMFILE: "too many files are open",
  ENFILE: "too many files are open",
  EIO: "the device cannot be read or written",
};

/** An operating system's error in words. */
export function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return REASONS[code ?? ""] ?? message;
}

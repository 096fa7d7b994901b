/** Hashes of files of any size, a piece in memory at a time. */
import { createHash, type Hash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";

/** Bytes read at a time. */
const CHUNK = 1 << 22;

/** Adds all bytes of a file to a hash. Throws what the file system throws. */
export function updateFromFile(hash: Hash, path: string): void {
  const chunk = new Uint8Array(CHUNK);
  const file = openSync(path, "r");
  try {
    for (let read = readSync(file, chunk); read > 0; read = readSync(file, chunk)) {
      hash.update(chunk.subarray(0, read));
    }
  } finally {
    closeSync(file);
  }
}

/** The SHA-256 of a file in hexadecimal digits. */
export function fileSha256(path: string): string {
  const hash = createHash("sha256");
  updateFromFile(hash, path);
  return hash.digest("hex");
}

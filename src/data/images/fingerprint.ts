/** What a run remembers of its images: how many there are, and a hash of all their values in their order. */
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { FlowError } from "../../errors.js";
import { reason } from "../../files.js";
import { updateFromFile } from "./file-hash.js";
import { imageFiles } from "./image-files.js";
import type { ImageSource } from "./image-source.js";

export interface Fingerprint {
  readonly trainCount: number;
  readonly testCount: number;
  /** Of the files of unpacked records, one after the other. */
  readonly sha256: string;
}

/** The fingerprint of images in files (a second for each half gigabyte); null for the digits of the package. */
export function fingerprintOf(source: ImageSource): Fingerprint | null {
  if (source.kind === "digits") return null;
  const { trainCount, testCount, train, test } = source;
  const hash = createHash("sha256");
  const paths = new Set([...train.parts, ...test.parts].map(({ images }) => images.path));
  for (const path of paths) {
    try {
      updateFromFile(hash, path);
    } catch (cause) {
      throw new FlowError("input", `cannot read ${path}: ${reason(cause)}`, { cause });
    }
  }
  return { trainCount, testCount, sha256: hash.digest("hex") };
}

/** Throws an `input` error that says what has changed since images had another fingerprint. */
export function checkFingerprint(source: ImageSource, before: Fingerprint, data: string): void {
  const now = fingerprintOf(source);
  if (now === null) return;
  const total = (f: Fingerprint) => f.trainCount + f.testCount;
  const added = total(now) - total(before);
  if (added !== 0) {
    const how =
      added > 0
        ? `${added} ${added === 1 ? "image was" : "images were"} added to`
        : `${-added} ${added === -1 ? "image was" : "images were"} taken from`;
    throw new FlowError(
      "input",
      `${how} ${data} since the run was started: it had ${total(before)} images then, and has ${total(now)} now${newest(data)}`,
    );
  }
  if (now.trainCount === before.trainCount && now.sha256 === before.sha256) return;
  throw new FlowError(
    "input",
    `images of ${data} have changed since the run was started, or their unpacked copies are damaged${newest(data)}`,
  );
}

/** The file of a folder of images that was changed last, for a sentence. */
function newest(data: string): string {
  try {
    if (!statSync(data).isDirectory()) return "";
    const { files } = imageFiles(data);
    const times = files.map(({ name, path }) => [name, statSync(path).ctimeMs] as const);
    if (times.length === 0) return "";
    const [name] = times.reduce((a, b) => (b[1] > a[1] ? b : a));
    return ` (the newest is ${name})`;
  } catch {
    return ""; // A named set, not a path.
  }
}

/** Whether what was built is there, unchanged, and made from the very sources that are there: by hashes, not by times. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";

/** Files, or folders with everything in them; their paths are relative to the root. */
export interface Build {
  readonly root: string;
  readonly inputs: readonly string[];
  /** May lie in folders of inputs, and are none. */
  readonly outputs: readonly string[];
  /** Where the hashes of the last build are kept. */
  readonly stamp: string;
}

const isTest = (file: string) => file.endsWith(".test.ts");

function filesOf(root: string, path: string): string[] {
  if (!existsSync(join(root, path))) return [];
  if (statSync(join(root, path)).isFile()) return [path];
  return readdirSync(join(root, path), { recursive: true, encoding: "utf8" })
    .map((name) => join(path, name))
    .filter((file) => statSync(join(root, file)).isFile());
}

function hash(root: string, files: readonly string[]): string {
  const sum = createHash("sha256");
  for (const file of [...files].sort()) {
    const content = readFileSync(join(root, file));
    sum.update(`${file.replaceAll(sep, "/")}\n${content.length}\n`).update(content);
  }
  return sum.digest("hex");
}

export const outputsOf = ({ root, outputs }: Build) =>
  hash(
    root,
    outputs.flatMap((path) => filesOf(root, path)),
  );

export function inputsOf({ root, inputs, outputs }: Build): string {
  const made = new Set(outputs.flatMap((path) => filesOf(root, path)));
  const files = inputs.flatMap((path) => filesOf(root, path));
  return hash(
    root,
    files.filter((file) => !made.has(file) && !isTest(file)),
  );
}

/** Keeps what the outputs are, and the hash that the inputs had when their build began. */
export function record(build: Build, inputs: string): void {
  const path = join(build.root, build.stamp);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify({ inputs, outputs: outputsOf(build) }));
}

export function isCurrent(build: Build): boolean {
  const path = join(build.root, build.stamp);
  if (!existsSync(path)) return false;
  return (
    readFileSync(path, "utf8") === JSON.stringify({ inputs: inputsOf(build), outputs: outputsOf(build) })
  );
}

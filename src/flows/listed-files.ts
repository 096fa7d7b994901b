/** The files of a folder with a manifest, read and replaced. */
import { lstatSync, rmSync } from "node:fs";
import { join } from "node:path";
import { FlowError } from "../errors.js";
import { readFile, reason, writeFileAtomically } from "../files.js";
import {
  announced,
  checkListed,
  encodeManifest,
  type Listing,
  MANIFEST_FILE,
  parseManifest,
  written,
} from "./manifest.js";
import { sha256 } from "./sha256.js";

/** The listing of a folder; null where it has none. */
export function readListing(folder: string): Listing | null {
  const path = join(folder, MANIFEST_FILE);
  const bytes = readIfThere(path);
  return bytes && parseManifest(bytes, path);
}

/** The bytes of a file of the folder, which must be what the listing says; null where there may be none. */
export function readListed(folder: string, listing: Listing | null, name: string): Uint8Array | null {
  const path = join(folder, name);
  const bytes = readIfThere(path);
  if (listing) checkListed(listing, name, bytes, path);
  return bytes;
}

/** The bytes of a file, or null where there is nothing of that name; a link to nowhere is an error. */
export function readIfThere(path: string): Uint8Array | null {
  try {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return null;
  } catch (cause) {
    throw new FlowError("run", `cannot read ${path}: ${reason(cause)}`, { cause });
  }
  return readFile(path, "run");
}

/** Replaces files of a folder and their entries in its manifest, which may be its first; null removes one. */
export function writeListed(
  folder: string,
  contents: Readonly<Record<string, Uint8Array | string | null>>,
): void {
  const encoder = new TextEncoder();
  const bytes = Object.fromEntries(
    Object.entries(contents).map(([name, content]) => [
      name,
      typeof content === "string" ? encoder.encode(content) : content,
    ]),
  );
  const before = new Map(readListing(folder));
  for (const name of Object.keys(bytes)) {
    if (before.has(name)) continue;
    const there = readIfThere(join(folder, name));
    before.set(name, [there && sha256(there)]);
  }
  const listing = announced(before, bytes);
  writeListing(folder, listing);
  for (const [name, content] of Object.entries(bytes)) {
    if (content) writeFileAtomically(join(folder, name), content);
    else rmSync(join(folder, name), { force: true });
  }
  writeListing(folder, written(listing, bytes));
}

/** Takes a file that is going to change often out of the manifest. */
export function unlist(folder: string, name: string): void {
  const listing = readListing(folder);
  if (listing?.has(name)) writeListing(folder, new Map([...listing].filter(([listed]) => listed !== name)));
}

function writeListing(folder: string, listing: Listing): void {
  writeFileAtomically(join(folder, MANIFEST_FILE), encodeManifest(listing));
}

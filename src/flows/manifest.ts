/**
 * The manifest of a folder: the SHA-256 of each file that it lists, by name, so that a file that has changed, or comes
 * from another folder, is noticed. While files are being replaced it lists what each may be, the old state and the new
 * one (null: no file), so that a process that is killed in between leaves a folder that fits its manifest.
 */
import { z } from "zod";
import { check, FlowError } from "../errors.js";
import { firstIssue, parseJson } from "./json.js";
import { sha256 } from "./sha256.js";

export const MANIFEST_FILE = "manifest.json";

/** What each file may be: its hash, or null where it may be missing. */
export type Listing = ReadonlyMap<string, readonly (string | null)[]>;

const state = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .nullable();
const manifest = z.strictObject({
  format: z.literal(1),
  files: z.record(z.string(), z.union([state, z.array(state)])),
});

/** The content of the manifest's file. */
export function encodeManifest(listing: Listing): string {
  const files = Object.fromEntries(
    [...listing].map(([name, states]) => [name, states.length === 1 ? states[0] : states]),
  );
  return `${JSON.stringify({ format: 1, files }, null, 2)}\n`;
}

/** The manifest of files with these contents. */
export function manifestOf(contents: Readonly<Record<string, Uint8Array>>): string {
  return encodeManifest(new Map(Object.entries(contents).map(([name, bytes]) => [name, [sha256(bytes)]])));
}

/** Reads a manifest; throws a `run` error that names the file if a letter of it is not as it was written. */
export function parseManifest(bytes: Uint8Array, path: string): Listing {
  const parsed = manifest.safeParse(parseJson(bytes, path));
  if (!parsed.success) throw new FlowError("run", `${path} is damaged ${firstIssue(parsed.error)}`);
  const entries = Object.entries(parsed.data.files);
  const listing = new Map(entries.map(([name, states]) => [name, [states].flat()]));
  const canonical = encodeManifest(listing) === new TextDecoder().decode(bytes);
  check(canonical, "run", `${path} is damaged: it is not in the form in which it was written`);
  return listing;
}

/** Throws a `run` error unless a file that is listed has a content (null: there is none) that it may have. */
export function checkListed(listing: Listing, name: string, bytes: Uint8Array | null, path: string): void {
  const states = listing.get(name);
  if (states === undefined) return;
  check(
    bytes !== null || states.includes(null),
    "run",
    `${path} is missing, although its folder's ${MANIFEST_FILE} lists it`,
  );
  check(
    bytes === null || states.includes(sha256(bytes)),
    "run",
    `${path} is not what its folder's ${MANIFEST_FILE} lists: it was changed after it was written, or is of another run`,
  );
}

/** A listing in which these files may also become what they are to be. */
export function announced(listing: Listing, contents: Readonly<Record<string, Uint8Array | null>>): Listing {
  const result = new Map(listing);
  for (const [name, bytes] of Object.entries(contents)) {
    const next = bytes && sha256(bytes);
    result.set(name, [...new Set([...(result.get(name) ?? []), next])]);
  }
  return result;
}

/** A listing in which these files are what they have become. */
export function written(listing: Listing, contents: Readonly<Record<string, Uint8Array | null>>): Listing {
  const result = new Map(listing);
  for (const [name, bytes] of Object.entries(contents)) {
    if (bytes) result.set(name, [sha256(bytes)]);
    else result.delete(name);
  }
  return result;
}

/**
 * Unpacked images, kept so that a set is unpacked once: a folder for each source, named by a hash of its path,
 * size and time of change. It is filled beside its place and renamed, so it is complete or not there, and of
 * two processes that unpack the same images one wins and both go on.
 */
import { createHash, randomUUID } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { basename, join, resolve } from "node:path";
import envPaths from "env-paths";
import { FlowError } from "../../errors.js";
import { makeFolder, reason } from "../../files.js";
import { fileSha256 } from "./file-hash.js";

/** Counts up when the files of the cache get another form. */
const VERSION = 2;
const ENTRY = "entry.json";
const PARTIAL = ".partial";
const DAY = 24 * 3600 * 1000;
/** What nothing has been trained from for so long goes when something else is unpacked. */
const UNUSED_DAYS = 30;

/** Where what is unpacked is kept. */
export interface CacheOptions {
  /** The folder; `MONOTONE_FLOWS_CACHE` by default, or else a folder in the user's cache directory. */
  readonly cacheDir?: string | undefined;
  /** Stops the unpacking and leaves nothing of it behind. */
  readonly signal?: AbortSignal | undefined;
  /** Called now and then while a source is unpacked: what is done, and the share of it, 0 to 1. */
  readonly progress?: ((what: string, share: number) => void) | undefined;
}

/** A file or folder that is unpacked, and all that tells whether it has changed since. */
export interface CachedSource {
  readonly path: string;
  readonly state: string;
}

/** A file with its size and time of change. */
export function fileSource(path: string): CachedSource {
  try {
    const { size, mtimeMs } = statSync(path);
    return { path: resolve(path), state: `${size} ${mtimeMs}` };
  } catch (cause) {
    throw new FlowError("input", `cannot read ${path}: ${reason(cause)}`, { cause });
  }
}

/** What a folder of the cache holds: sizes and SHA-256 of its files by name, and what the source is made of. */
interface Entry<T> {
  readonly source: CachedSource;
  readonly files: Readonly<Record<string, { readonly size: number; readonly sha256: string }>>;
  readonly content: T;
}

/** The folder of unpacked images. */
export function cacheFolder({ cacheDir }: CacheOptions = {}): string {
  const chosen = cacheDir ?? process.env.MONOTONE_FLOWS_CACHE;
  if (chosen) return resolve(chosen);
  return join(envPaths("monotone-flows", { suffix: "" }).cache, "images");
}

/**
 * The folder that holds a source unpacked, and what `unpack` returned for it. `unpack` fills the folder that it
 * is given; it is called unless that has been done before.
 *
 * @param form names what is made of the source; other forms of the same source are kept apart
 * @throws FlowError `output` if the folder cannot be written, and whatever `unpack` throws
 */
export async function cached<T>(
  source: CachedSource,
  form: string,
  options: CacheOptions,
  unpack: (folder: string) => Promise<T>,
): Promise<{ folder: string; content: T }> {
  const cache = cacheFolder(options);
  const hash = createHash("sha256").update(JSON.stringify([VERSION, form, source.path, source.state]));
  const folder = join(cache, `${basename(source.path).slice(0, 60)}-${hash.digest("hex").slice(0, 20)}`);
  const found = intactEntry<T>(folder);
  if (found) {
    touch(folder);
    return { folder, content: found.content };
  }

  const partial = `${folder}.${hostname()}.${process.pid}.${randomUUID().slice(0, 8)}${PARTIAL}`;
  let unmake = () => {};
  try {
    output(cache, () => {
      unmake = makeFolder(cache);
      removeLeftovers(cache);
      evict(cache, source);
      mkdirSync(partial);
    });
    const content = await unpack(partial);
    output(partial, () => {
      const files = readdirSync(partial).map((name) => {
        const path = join(partial, name);
        return [name, { size: statSync(path).size, sha256: fileSha256(path) }];
      });
      const entry: Entry<T> = { source, files: Object.fromEntries(files), content };
      writeFileSync(join(partial, ENTRY), JSON.stringify({ ...entry, seal: sealOf(entry) }));
    });
    putInPlace(partial, folder);
    return { folder, content };
  } catch (error) {
    try {
      rmSync(partial, { recursive: true, force: true });
    } catch {} // The first error says what is wrong.
    unmake();
    throw error;
  }
}

/** Puts a complete folder in its place, unless another process was faster. */
function putInPlace(partial: string, folder: string): void {
  output(folder, () => {
    try {
      renameSync(partial, folder);
    } catch (error) {
      if (!existsSync(folder)) throw error;
      if (intactEntry(folder)) {
        rmSync(partial, { recursive: true, force: true });
        return;
      }
      // Something has been taken out of it, or changed in it.
      rmSync(folder, { recursive: true, force: true });
      renameSync(partial, folder);
    }
  });
}

/** The hash of an entry that stands in its file: a flipped bit is noticed there, too. */
const sealOf = (entry: Entry<unknown>) => createHash("sha256").update(JSON.stringify(entry)).digest("hex");

/** The entry of a folder, or null unless all of its files are there in their sizes. */
function readEntry<T>(folder: string): Entry<T> | null {
  try {
    const { seal, ...entry }: Entry<T> & { seal: string } = JSON.parse(
      readFileSync(join(folder, ENTRY), "utf8"),
    );
    if (seal !== sealOf(entry)) return null;
    const complete = Object.entries(entry.files).every(
      ([name, { size }]) => statSync(join(folder, name)).size === size,
    );
    return complete ? entry : null;
  } catch {
    return null;
  }
}

/** The entry of a folder, or null unless its files are bit for bit what was written (a second for each half gigabyte). */
function intactEntry<T>(folder: string): Entry<T> | null {
  const entry = readEntry<T>(folder);
  try {
    const intact = Object.entries(entry?.files ?? {}).every(
      ([name, { sha256 }]) => fileSha256(join(folder, name)) === sha256,
    );
    return intact ? entry : null;
  } catch {
    return null; // Another process is removing it.
  }
}

/** Removes what processes that were killed have left. */
function removeLeftovers(cache: string): void {
  for (const name of readdirSync(cache).filter((name) => name.endsWith(PARTIAL))) {
    const path = join(cache, name);
    try {
      const [, pid] = name
        .slice(0, name.lastIndexOf(".", name.length - PARTIAL.length - 1))
        .match(/\.(\d+)$/)!;
      const here = name.includes(`.${hostname()}.${pid}.`);
      const old = Date.now() - statSync(path).mtimeMs > DAY;
      if (old || (here && !isAlive(Number(pid)))) rmSync(path, { recursive: true, force: true });
    } catch {} // Another process is sweeping as well.
  }
}

/** Notes that a folder is in use. */
function touch(folder: string): void {
  try {
    const now = new Date();
    utimesSync(join(folder, ENTRY), now, now);
  } catch {} // A cache that others own is still one to read.
}

/** Removes what will not be used again: the source as it was before it changed, and what has long been unused. */
function evict(cache: string, { path, state }: CachedSource): void {
  for (const name of readdirSync(cache)) {
    const folder = join(cache, name);
    try {
      const { mtimeMs } = statSync(join(folder, ENTRY));
      const source = readEntry(folder)?.source;
      const changed = source?.path === path && source.state !== state;
      if (changed || Date.now() - mtimeMs > UNUSED_DAYS * DAY)
        rmSync(folder, { recursive: true, force: true });
    } catch {} // No entry, or another process is removing it as well.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function output<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    if (cause instanceof FlowError) throw cause;
    throw new FlowError(
      "output",
      `cannot write ${path}: ${reason(cause)}; MONOTONE_FLOWS_CACHE names another folder for unpacked images`,
      { cause },
    );
  }
}

/**
 * The PNG and JPEG files in a folder and the folders in it, in the order of their names. A folder or file to which
 * several names lead, by links, is one: links to a folder above do not multiply what is there.
 */
import { type BigIntStats, type Dirent, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { check, FlowError, quoted } from "../../errors.js";
import { reason } from "../../files.js";

const NAME = /\.(png|jpe?g)$/i;

export interface ImageFile {
  /** Starts from the folder. */
  readonly name: string;
  readonly path: string;
  readonly size: number;
  readonly mtimeMs: number;
}

export interface ImageFiles {
  readonly files: readonly ImageFile[];
  /** Names of files and folders that were there already, under another name. */
  readonly again: number;
}

/**
 * Names that start with a dot are left out.
 *
 * @throws FlowError `input` that names what cannot be read, a link that leads nowhere, and what is no file, though it
 *   has the name of an image; and for names that are not UTF-8
 */
export function imageFiles(folder: string): ImageFiles {
  const seen = new Set<string>();
  const isNew = ({ dev, ino }: BigIntStats) => seen.size < seen.add(`${dev} ${ino}`).size;
  const files: ImageFile[] = [];
  let again = 0;

  const direct: string[] = [""];
  const linked: { name: string; found: BigIntStats }[] = [];
  isNew(found(folder));
  const take = (name: string, found: BigIntStats) => {
    if (!isNew(found)) again++;
    else if (found.isDirectory()) direct.push(name);
    else
      files.push({
        name,
        path: join(folder, name),
        size: Number(found.size),
        mtimeMs: Number(found.mtimeNs) / 1e6,
      });
  };
  while (direct.length > 0 || linked.length > 0) {
    // What is there itself comes before links to it, so that it keeps its name.
    if (direct.length === 0) {
      const { name, found } = linked.shift()!;
      take(name, found);
      continue;
    }
    const place = direct.pop()!;
    for (const entry of entriesOf(join(folder, place))) {
      if (entry.name[0] === DOT || (entry.isFile() && !NAME.test(entry.name.toString()))) continue;
      const name = join(place, entryName(entry, join(folder, place)));
      const found = wanted(entry, join(folder, name));
      if (found && entry.isSymbolicLink()) linked.push({ name, found });
      else if (found) take(name, found);
    }
  }
  return { files: files.sort((a, b) => (a.name < b.name ? -1 : 1)), again };
}

const DOT = ".".charCodeAt(0);

function entriesOf(folder: string): Dirent<Buffer>[] {
  try {
    return readdirSync(folder, { withFileTypes: true, encoding: "buffer" }).sort((a, b) =>
      a.name.compare(b.name),
    );
  } catch (cause) {
    throw new FlowError("input", `cannot read ${folder}: ${reason(cause)}`, { cause });
  }
}

function entryName({ name }: Dirent<Buffer>, folder: string): string {
  const text = name.toString("utf8");
  // A name that is not UTF-8 names no file once it is text.
  check(
    name.equals(Buffer.from(text)),
    "input",
    `${folder}: the name of ${quoted(text)} is not UTF-8, so it cannot be opened; rename it`,
  );
  return text;
}

/** Of an image or a folder what it is, links followed; null of anything else. */
function wanted(entry: Dirent<Buffer>, path: string): BigIntStats | null {
  const isImage = NAME.test(path);
  if (!isImage && entry.isSymbolicLink() && !leadsSomewhere(path)) return null;
  const what = found(path);
  if (what.isDirectory() || (isImage && what.isFile())) return what;
  check(!isImage, "input", `${path}: a pipe, socket or device, not a file`);
  return null;
}

function leadsSomewhere(link: string): boolean {
  try {
    statSync(link);
    return true;
  } catch {
    return false;
  }
}

function found(path: string): BigIntStats {
  try {
    return statSync(path, { bigint: true });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const nowhere = code === "ENOENT" || code === "ELOOP" ? "it is a link that leads nowhere" : reason(cause);
    throw new FlowError("input", `cannot read ${path}: ${nowhere}`, { cause });
  }
}

/** The files of a model: a run directory, its ZIP file, or flow.json and model.safetensors, dropped, chosen or fetched. */
import { unzipSync } from "fflate";
import { checkListed, type Flow, parseManifest } from "../library.js";

/** By name. */
export type Contents = ReadonlyMap<string, Uint8Array>;

/** The part of config.json that matters here; anything may be missing. */
export interface Config {
  data?: { kind?: string; name?: string; columns?: string[] };
  training?: { seed?: number; steps?: number };
  /** Of a model that was imported: where it comes from. */
  origin?: unknown;
}

/** Larger files are no models that a page could work with. */
const MOST_BYTES = 200e6;
const NEEDED = ["flow.json", "model.safetensors"] as const;
const MANIFEST = "manifest.json";
const WANTED = [...NEEDED, "config.json", "data.csv", MANIFEST];

/** Reads files; throws an error in words. */
export async function contentsOf(files: readonly File[]): Promise<Contents> {
  const contents = new Map<string, Uint8Array>();
  for (const file of files) {
    if (file.size > MOST_BYTES) throw new Error(`${file.name} is too large for a model of this page`);
    const bytes = new Uint8Array(await file.arrayBuffer());
    if (file.name.endsWith(".zip")) unzip(file.name, bytes, contents);
    else contents.set(file.name, bytes);
  }
  return contents;
}

function unzip(name: string, bytes: Uint8Array, into: Map<string, Uint8Array>): void {
  try {
    const base = (path: string) => path.split("/").at(-1) ?? path;
    const wanted = ({ name, originalSize }: { name: string; originalSize: number }) =>
      WANTED.includes(base(name)) && !name.includes("checkpoint/") && originalSize <= MOST_BYTES;
    for (const [path, content] of Object.entries(unzipSync(bytes, { filter: wanted })))
      into.set(base(path), content);
  } catch (cause) {
    throw new Error(`${name} is not a ZIP file, or is cut short`, { cause });
  }
}

/** Fetches a model that comes along with the studio; throws an error in words. */
export async function fetchModel(folder: string): Promise<Contents> {
  const fetched = [...NEEDED, "config.json"].map(async (name) => {
    const answer = await fetch(`./${folder}/${name}`);
    if (!answer.ok) throw new Error(`the server says ${answer.status}`);
    return [name, new Uint8Array(await answer.arrayBuffer())] as const;
  });
  return new Map(await Promise.all(fetched));
}

/** The two files that make a model; throws an error in words if one is missing, or not what the manifest lists. */
export function partsOf(contents: Contents, title: string): { declaration: Uint8Array; weights: Uint8Array } {
  const missing = NEEDED.filter((name) => !contents.has(name));
  if (missing.length > 0) {
    throw new Error(
      `A model is made of flow.json and model.safetensors; ${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} missing in ${title}.`,
    );
  }
  const manifest = contents.get(MANIFEST);
  if (manifest) {
    const listing = parseManifest(manifest, MANIFEST);
    for (const [name, bytes] of contents) checkListed(listing, name, bytes, name);
  }
  const [declaration, weights] = NEEDED.map((name) => contents.get(name) as Uint8Array);
  return { declaration, weights };
}

/** What config.json says, if it is there; throws an error in words if it is damaged. */
export function configOf(contents: Contents): Config {
  const bytes = contents.get("config.json");
  if (!bytes) return {};
  try {
    return (JSON.parse(new TextDecoder().decode(bytes)) as Config | null) ?? {};
  } catch (cause) {
    throw new Error("config.json is not valid JSON; it may be half written", { cause });
  }
}

/** Steps of a model's training: those that the weights tell, or else those that its run was to have; null if not known. */
export const stepsOf = ({ steps }: Pick<Flow, "steps">, { training, origin }: Config): number | null =>
  steps ?? (origin ? null : (training?.steps ?? null));

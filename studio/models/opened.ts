/** A model that was opened: a run directory, its ZIP file, or flow.json and model.safetensors, dropped or chosen. */
import { type Signal, signal } from "@preact/signals";
import { unzipSync } from "fflate";
import { decodeFlow, parseCsv, type RowJob, Table, tableJob, toyDensity } from "../library.js";
import { extentOf, SQUARE } from "./data.js";
import type { Extent } from "./messages.js";
import { Pictures } from "./pictures.js";

export interface Opened {
  readonly title: string;
  readonly pictures: Pictures;
  readonly extent: Extent;
  readonly columns: readonly string[];
  readonly standardisation: { mean: readonly number[]; deviation: readonly number[] } | null;
  /** What it was trained on, where the files say so and the page has it. */
  readonly data: { job: RowJob; seed: number; entropy: number | null } | null;
  /** Steps of its training, where the files say so. */
  readonly steps: number | null;
  readonly parameters: number;
}

export const opened: Signal<Opened | null> = signal(null);
export const complaint: Signal<string | null> = signal(null);
export const opening: Signal<string | null> = signal(null);

/** Larger files are no models of the plane. */
const MOST_BYTES = 200e6;
const NEEDED = ["flow.json", "model.safetensors"] as const;
const WANTED = [...NEEDED, "config.json", "data.csv"];

/** The part of config.json that matters here; anything may be missing. */
interface Config {
  data?: { kind?: string; name?: string; columns?: string[] };
  training?: { seed?: number; steps?: number };
}

/** Opens a model from its files. What is wrong with them is said in `complaint`. */
export async function openModel(files: readonly File[], title: string): Promise<boolean> {
  complaint.value = null;
  opening.value = `Opening ${title}`;
  try {
    const contents = new Map<string, Uint8Array>();
    for (const file of files) {
      if (file.size > MOST_BYTES) throw new Error(`${file.name} is too large for a model of the plane`);
      const bytes = new Uint8Array(await file.arrayBuffer());
      if (file.name.endsWith(".zip")) unzip(file.name, bytes, contents);
      else contents.set(file.name, bytes);
    }
    const next = await openedFrom(contents, title);
    opened.value?.pictures.end();
    opened.value = next;
    return true;
  } catch (error) {
    complaint.value = (error as Error).message;
    return false;
  } finally {
    opening.value = null;
  }
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

/** A model from the contents of its files, by name. Throws an error in words. */
export async function openedFrom(contents: ReadonlyMap<string, Uint8Array>, title: string): Promise<Opened> {
  const missing = NEEDED.filter((name) => !contents.has(name));
  if (missing.length > 0) {
    throw new Error(
      `A model is made of flow.json and model.safetensors; ${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} missing in ${title}.`,
    );
  }
  const [declaration, weights] = NEEDED.map((name) => contents.get(name) as Uint8Array);
  const flow = await decodeFlow({ declaration, weights });
  if (flow.dim !== 2) {
    throw new Error(`${title} is a model of ${flow.dim} dimensions; this page shows those of two.`);
  }
  const parameters = new Map(flow.parameters.list.map(({ name, values }) => [name, values.slice()]));
  const config = configOf(contents);
  const found = dataOf(config, contents);
  const { standardisation: s } = flow.declaration;
  const around = (j: 0 | 1) =>
    s ? [s.mean[j] - 3.2 * s.deviation[j], s.mean[j] + 3.2 * s.deviation[j]] : [];
  const extent = found?.extent ?? (s ? ([...around(0), ...around(1)] as unknown as Extent) : SQUARE);
  const steps = config.training?.steps ?? null;
  return {
    title,
    extent,
    columns: found?.columns ?? config.data?.columns ?? ["x1", "x2"],
    standardisation: s ?? null,
    data: found,
    steps,
    parameters: flow.parameters.values.length,
    pictures: new Pictures({
      declaration: flow.declaration,
      extent,
      snapshot: { step: steps ?? 0, parameters },
      training: null,
    }),
  };
}

function configOf(contents: ReadonlyMap<string, Uint8Array>): Config {
  const bytes = contents.get("config.json");
  if (!bytes) return {};
  try {
    return (JSON.parse(new TextDecoder().decode(bytes)) as Config | null) ?? {};
  } catch (cause) {
    throw new Error("config.json is not valid JSON; it may be half written", { cause });
  }
}

function dataOf({ data, training }: Config, contents: ReadonlyMap<string, Uint8Array>) {
  const seed = training?.seed ?? 0;
  if (data?.kind === "toy" && data.name !== undefined) {
    const { entropy, extent } = toyDensity(data.name);
    const job: RowJob = { kind: "toy", name: data.name };
    return { job, seed, entropy, extent, columns: ["x1", "x2"] };
  }
  const table = contents.get("data.csv");
  if (data?.kind !== "table" || !table) return null;
  const { table: rows, names } = parseCsv(table, "data.csv", data.columns ? { columns: data.columns } : {});
  const { job } = tableJob(new Table(rows.rows, rows.columns, rows.values), names, "data.csv", seed);
  return { job, seed, entropy: null, extent: extentOf(rows.values), columns: names };
}

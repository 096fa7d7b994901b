/** A model of the plane that was opened from its files. */
import { type Signal, signal } from "@preact/signals";
import { decodeFlow, parseCsv, type RowJob, Table, tableJob, toyDensity } from "../library.js";
import { extentOf, SQUARE } from "./data.js";
import type { Extent } from "./messages.js";
import { type Config, type Contents, configOf, partsOf, stepsOf } from "./model-files.js";
import { Pictures } from "./pictures.js";
import { uncertifiedInWords } from "./uncertified.js";

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
  /** What is said of it if it is not certified; null if it is. */
  readonly uncertified: string | null;
}

export const opened: Signal<Opened | null> = signal(null);

/** Puts a model in the place of the one that was opened before. */
export function show(next: Opened): void {
  opened.value?.pictures.end();
  opened.value = next;
}

/** A model from the contents of its files, by name. Throws an error in words. */
export async function openedFrom(contents: Contents, title: string): Promise<Opened> {
  const flow = await decodeFlow(partsOf(contents, title));
  if (flow.dim !== 2) {
    throw new Error(
      `${title} is a model of ${flow.dim} dimensions; the studio shows those of two, and images.`,
    );
  }
  const parameters = new Map(flow.parameters.list.map(({ name, values }) => [name, values.slice()]));
  const config = configOf(contents);
  const found = dataOf(config, contents);
  const { standardisation: s } = flow.declaration;
  const around = (j: 0 | 1) =>
    s ? [s.mean[j] - 3.2 * s.deviation[j], s.mean[j] + 3.2 * s.deviation[j]] : [];
  const extent = found?.extent ?? (s ? ([...around(0), ...around(1)] as unknown as Extent) : SQUARE);
  const steps = stepsOf(flow, config);
  return {
    title,
    extent,
    columns: found?.columns ?? config.data?.columns ?? ["x1", "x2"],
    standardisation: s ?? null,
    data: found,
    steps,
    parameters: flow.parameters.values.length,
    uncertified: uncertifiedInWords(flow),
    pictures: new Pictures({
      declaration: flow.declaration,
      extent,
      snapshot: { step: steps ?? 0, parameters },
      training: null,
    }),
  };
}

function dataOf({ data, training }: Config, contents: Contents) {
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

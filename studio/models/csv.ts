/** A dropped table: from the file to two chosen columns, with everything that may be wrong said in words. */
import { type Signal, signal } from "@preact/signals";
import { watch } from "./alive.js";
import type { CsvNews, CsvOrder } from "./csv-worker.js";
import { file as chosen, extentOf } from "./data.js";

/** Larger files are not read: a browser's memory is soon at its end. */
const MOST_BYTES = 100e6;
const FEWEST_ROWS = 10;

export interface OpenTable {
  readonly name: string;
  readonly columns: readonly { name: string; numeric: boolean }[];
}

/** The file whose columns can be chosen; null while there is none. */
export const table: Signal<OpenTable | null> = signal(null);
/** The two columns, as text of their numbers from 1 on, as a select element holds them. */
export const columns: readonly [Signal<string>, Signal<string>] = [signal("1"), signal("2")];
/** What is under way, in words. */
export const reading: Signal<string | null> = signal(null);
export const complaint: Signal<string | null> = signal(null);

let worker: Worker | null = null;
let unwatch = () => {};

export function stopReading(why: string | null = null): void {
  unwatch();
  worker?.terminate();
  worker = null;
  reading.value = null;
  complaint.value = why;
}

/** Opens a file, and reads its first two columns of numbers. */
export function openTable(file: File): void {
  stopReading();
  table.value = null;
  chosen.value = null;
  if (file.size > MOST_BYTES) {
    const megabytes = Math.round(file.size / 1e6).toLocaleString("en");
    complaint.value =
      `${file.name} has ${megabytes} MB; up to ${MOST_BYTES / 1e6} MB are read here. ` +
      "The command line reads larger ones: npx monotone-flows train --data FILE";
    return;
  }
  if (file.size === 0) {
    complaint.value = `${file.name}: the file is empty`;
    return;
  }
  reading.value = `Reading ${file.name}`;
  worker = new Worker(new URL("./csv-worker.ts", import.meta.url), { type: "module" });
  unwatch = watch(worker, (why) =>
    stopReading(`${file.name} could not be read: ${why}. It may be too large for this browser.`),
  );
  worker.addEventListener("message", ({ data }: MessageEvent<CsvNews>) => hear(file.name, data));
  order({ kind: "open", file });
}

/** Takes the chosen columns. */
export function readColumns(): void {
  const [x, y] = columns.map(({ value }) => Number(value));
  complaint.value = null;
  if (!table.value || !worker) return;
  if (x === y) {
    chosen.value = null;
    complaint.value = "Choose two different columns.";
    return;
  }
  reading.value = `Reading ${table.value.name}`;
  order({ kind: "read", columns: [x, y] });
}

const order = (order: CsvOrder) => worker?.postMessage(order);

function hear(name: string, news: CsvNews): void {
  if (news.kind === "refused") {
    reading.value = null;
    chosen.value = null;
    complaint.value = news.message;
  } else if (news.kind === "columns") {
    if (news.columns.length < 2) {
      stopReading(`${name} has one column; two are needed for a picture of the plane.`);
      return;
    }
    table.value = { name, columns: news.columns };
    const numeric = news.columns.flatMap(({ numeric }, i) => (numeric ? [i + 1] : []));
    if (numeric.length < 2) {
      reading.value = null;
      complaint.value = `${name} has ${numeric.length === 1 ? "one column" : "no columns"} of numbers; two are needed.`;
      return;
    }
    columns[0].value = String(numeric[0]);
    columns[1].value = String(numeric[1]);
    readColumns();
  } else if (news.kind === "table") take(name, news.values);
}

function take(name: string, values: Float64Array): void {
  reading.value = null;
  const rows = values.length / 2;
  const names = columns.map(({ value }) => table.value?.columns[Number(value) - 1].name ?? value);
  if (rows < FEWEST_ROWS) {
    complaint.value = `${name} has ${rows} rows; at least ${FEWEST_ROWS} are needed to train and to test.`;
    return;
  }
  const [xmin, xmax, ymin, ymax] = extentOf(values);
  if (!(xmax > xmin && ymax > ymin)) {
    complaint.value = `${name}: a column has the same value in every row, so it has no density.`;
    return;
  }
  chosen.value = { name: name.replace(/\.gz$/, ""), columns: [names[0], names[1]], values };
}

/** Reads a dropped table, away from the page: a large file takes seconds. */
import "./no-eval.js";
import { csvColumns, parseCsv } from "../library.js";
import { holdLock } from "./alive.js";

export type CsvOrder =
  | { kind: "open"; file: File }
  /** Columns are counted from 1. */
  | { kind: "read"; columns: readonly [number, number] };

export type CsvNews =
  | { kind: "columns"; columns: { name: string; numeric: boolean }[] }
  | { kind: "table"; values: Float64Array }
  | { kind: "refused"; message: string };

const tell = (news: CsvNews) => postMessage(news);

let name = "";
let bytes = new Uint8Array();

holdLock();
addEventListener("message", ({ data }: MessageEvent<CsvOrder>) => {
  answer(data).catch((error: Error) => {
    tell({ kind: "refused", message: error.message });
  });
});

async function answer(order: CsvOrder): Promise<void> {
  if (order.kind === "open") {
    name = order.file.name;
    bytes = await content(order.file);
    tell({ kind: "columns", columns: csvColumns(bytes, name) });
    return;
  }
  const { table } = parseCsv(bytes, name, { columns: order.columns.map(String) });
  tell({ kind: "table", values: table.values });
}

async function content(file: File): Promise<Uint8Array<ArrayBuffer>> {
  const packed = file.name.endsWith(".gz");
  try {
    const stream = packed ? file.stream().pipeThrough(new DecompressionStream("gzip")) : file.stream();
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (cause) {
    const why = packed ? "it is not a complete gzip file" : (cause as Error).message;
    throw new Error(`${file.name} cannot be read: ${why}`);
  }
}

import { type CsvTable, parseCsv } from "./csv.js";
import { readBytes } from "./read-bytes.js";

/** Reads a CSV file, as `parseCsv` its bytes, unpacking it if its name ends in `.gz`; throws also if it cannot be read. */
export function readCsv(path: string, options: { columns?: readonly string[] } = {}): CsvTable {
  return parseCsv(readBytes(path), path, options);
}

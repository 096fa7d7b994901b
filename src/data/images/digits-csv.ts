import { check } from "../../errors.js";
import { readCsv } from "../read-csv.js";
import { checkDigits, digitsRow } from "./digits.js";

/**
 * Reads 8 x 8 digits in the format of the UCI repository: rows of 64 pixels 0 .. 16 and a label 0 .. 9.
 *
 * @returns the rows, 65 bytes each
 * @throws FlowError `input` that names the file, row and column, for other columns and values
 */
export function readDigitsCsv(path: string): Uint8Array {
  const { table, names } = readCsv(path);
  check(
    table.columns === digitsRow,
    "input",
    `${path}: ${table.columns} columns; 8 x 8 digits have ${digitsRow}, 64 pixels and a label`,
  );
  const header = names[0] === "column 1" ? 0 : 1;
  checkDigits(table.values, (row, column) => `${path}, row ${row + 1 + header}, column ${column + 1}`);
  return Uint8Array.from(table.values);
}

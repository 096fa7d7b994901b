import { type CsvError, type Options, parse } from "#csv-parse";
import { check, FlowError } from "../errors.js";
import { Table } from "../table.js";
import { nearestName } from "./nearest-name.js";

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const NAN = /^[+-]?nan$/i;
const INFINITE = /^[+-]?inf(inity)?$/i;
/** Rows that are looked at for the kinds of columns. */
const LOOK = 100;
/** What stands in place of a number; a header name is none of these. */
const MISSING = /^([+-]?nan|[+-]?inf(inity)?|na|n\/a|null|none|\?|)$/i;

const isNumber = (cell: string) => NUMBER.test(cell.trim());
const isText = (cell: string) => !isNumber(cell) && !MISSING.test(cell.trim());

export interface CsvTable {
  readonly table: Table;
  readonly names: string[];
}

/**
 * Reads a table of numbers from the bytes of a CSV file.
 *
 * The cells are separated by tabs, semicolons or commas: by the first of these that the first line holds.
 * The first row is a header if it holds text and the second row has no text in those columns, or if the
 * first row has no numbers and the second has; without a header the names are `column 1`, `column 2`, ...
 * `columns` chooses and orders columns by header name or 1-based number; cells of the others may be text.
 *
 * @param path what errors call the file
 * @returns the table (one row a data row of the file) and the names of its columns
 * @throws FlowError `input`, naming the file, the row (its line in the file) and the column, for a file that
 *   has no data rows or rows of different lengths, or a cell that is not a finite number;
 *   `usage` for a choice of columns that names an unknown column, or one column twice
 */
export function parseCsv(
  bytes: Uint8Array,
  path: string,
  options: { columns?: readonly string[] } = {},
): CsvTable {
  const text = decode(bytes, path);
  const delimiter = detectDelimiter(text);
  const records = parseRecords(path, text, { delimiter });
  check(records.length > 0, "input", `${path}: the file is empty`);

  const header = isHeader(records[0], records[1]);
  const first = header ? 1 : 0;
  check(records.length > first, "input", `${path}: a header but no data rows`);
  const names = columnNames(records[0], header);
  const chosen = options.columns ? chooseColumns(path, options.columns, names) : names.map((_, i) => i);

  // Records and lines differ where lines are blank; counting lines is slow, so it is left to errors.
  const row = (index: number) => {
    const read = parseRecords(path, text, { delimiter, info: true, to: index + 1 });
    return (read[index] as unknown as { info: { lines: number } }).info.lines;
  };
  const table = new Table(records.length - first, chosen.length);
  for (let index = first; index < records.length; index++) {
    const record = records[index];
    if (record.length !== names.length) {
      const expected = `${count(names.length, "column")}, like row ${row(0)}`;
      throw new FlowError("input", `${path}, row ${row(index)}: ${record.length} instead of ${expected}`);
    }
    chosen.forEach((column, i) => {
      const cell = record[column].trim();
      const value = isNumber(cell) ? Number(cell) : Number.NaN;
      if (!Number.isFinite(value)) {
        const place = header ? `column ${JSON.stringify(names[column])}` : `column ${column + 1}`;
        throw new FlowError("input", `${path}, row ${row(index)}, ${place}: ${complaint(cell)}`);
      }
      table.values[(index - first) * chosen.length + i] = value;
    });
  }
  return { table, names: chosen.map((column) => names[column]) };
}

/**
 * The names of all columns of a CSV file, and whether each starts with numbers, from its first rows.
 * @throws FlowError `input` for a file that is empty, is no text or has no data rows
 */
export function csvColumns(bytes: Uint8Array, path: string): { name: string; numeric: boolean }[] {
  const text = decode(bytes, path);
  const records = parseRecords(path, text, { delimiter: detectDelimiter(text), to: LOOK });
  check(records.length > 0, "input", `${path}: the file is empty`);
  const header = isHeader(records[0], records[1]);
  const rows = records.slice(header ? 1 : 0);
  check(rows.length > 0, "input", `${path}: a header but no data rows`);
  return columnNames(records[0], header).map((name, i) => ({
    name,
    numeric: rows.some((row) => isNumber(row[i] ?? "")) && !rows.some((row) => isText(row[i] ?? "")),
  }));
}

const columnNames = (first: readonly string[], header: boolean) =>
  first.map((cell, i) => (header && cell.trim()) || `column ${i + 1}`);

/** Comma-separated text: the names, then the rows; every number in the shortest form that reads back equal. */
export function formatCsv(table: Table, names: readonly string[]): string {
  check(
    names.length === table.columns,
    "usage",
    `a table of ${count(table.columns, "column")} needs as many names, not ${names.length}`,
  );
  const lines = [names.map(quoted).join(",")];
  for (let row = 0; row < table.rows; row++) {
    lines.push(Array.from(table.row(row), shortest).join(","));
  }
  return `${lines.join("\n")}\n`;
}

function shortest(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

function quoted(name: string): string {
  return /[",;\t\r\n]|^\s|\s$/.test(name) ? `"${name.replaceAll('"', '""')}"` : name;
}

function decode(bytes: Uint8Array, path: string): string {
  check(!bytes.includes(0), "input", `${path}: not a text file in UTF-8`);
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    // One kind of line end, so that the parser counts lines as editors do.
    return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
  } catch (cause) {
    throw new FlowError("input", `${path}: not a text file in UTF-8`, { cause });
  }
}

function detectDelimiter(text: string): string {
  const line = /^\s*(.*)/.exec(text)?.[1].replace(/"[^"]*"/g, "") ?? "";
  // Commas come last: with the other two they may be decimal points.
  return ["\t", ";"].find((candidate) => line.includes(candidate)) ?? ",";
}

function parseRecords(path: string, text: string, options: Options): string[][] {
  try {
    return parse(text, {
      record_delimiter: "\n",
      trim: true,
      skip_empty_lines: true,
      relax_column_count: true,
      relax_quotes: true,
      max_record_size: 0,
      ...options,
    });
  } catch (cause) {
    const { code, lines } = cause as CsvError & { lines?: number };
    const what =
      code === "CSV_QUOTE_NOT_CLOSED"
        ? "a quotation mark that stands in or before this row is not closed"
        : "text follows a closing quotation mark";
    throw new FlowError("input", `${path}, row ${lines}: ${what}`, { cause });
  }
}

function isHeader(first: readonly string[], second: readonly string[] | undefined): boolean {
  if (!first.some(isText)) return false;
  const onlyText = !first.some(isNumber);
  if (second === undefined) return onlyText;
  if (onlyText && second.some(isNumber)) return true;
  return first.every((cell, i) => !isText(cell) || !isText(second[i] ?? ""));
}

/** The indices of the chosen columns: each choice is a name or, where no column has that name, a number. */
function chooseColumns(path: string, choices: readonly string[], names: readonly string[]): number[] {
  check(choices.length > 0, "usage", `${path}: no columns are chosen`);
  const chosen: number[] = [];
  for (const choice of choices.map((text) => text.trim())) {
    let index = names.indexOf(choice);
    check(
      index === names.lastIndexOf(choice),
      "usage",
      `${path}: several columns are named "${choice}"; choose by number, 1 to ${names.length}`,
    );
    if (index < 0 && /^\d+$/.test(choice) && Number(choice) <= names.length) index = Number(choice) - 1;
    if (index < 0) throw unknownColumn(path, choice, names);
    check(!chosen.includes(index), "usage", `${path}: column "${choice}" is chosen twice`);
    chosen.push(index);
  }
  return chosen;
}

function unknownColumn(path: string, choice: string, names: readonly string[]): FlowError {
  const nearest = nearestName(choice, names);
  const hint =
    nearest === null ? `choose by header name or number, 1 to ${names.length}` : `did you mean "${nearest}"?`;
  return new FlowError("usage", `${path}: there is no column "${choice}"; ${hint}`);
}

/** What is wrong with a cell that holds no finite number. */
function complaint(cell: string): string {
  if (cell === "") return "the cell is empty";
  if (NAN.test(cell)) return "the number is NaN";
  if (INFINITE.test(cell)) return "the number is infinite";
  if (isNumber(cell)) return `${cell} is too large for a number`;
  const shown = cell.length > 40 ? `${cell.slice(0, 40)}...` : cell;
  return `${JSON.stringify(shown)} is not a number; choose columns of numbers with --columns, or write this one in numbers`;
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

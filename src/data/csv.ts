import { type CsvError, type Options, parse } from "#csv-parse";
import { type Advice, check, FlowError } from "../errors.js";
import { Table } from "../table.js";
import { nearestName } from "./nearest-name.js";

/** Digits match in one way only: two would try all splits of a long cell. */
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;
const NAN = /^[+-]?nan$/i;
const INFINITE = /^[+-]?inf(inity)?$/i;
/** Characters that are parsed at a time. */
const BLOCK = 1 << 20;
/** Bytes of text that fit into a string. */
const LONGEST = 2 ** 29 - 24;
const MOST_COLUMNS = 10_000;
/** Rows that are looked at for the kinds of columns. */
const LOOK = 100;
/** What stands in place of a number; a header name is none of these. */
const MISSING = /^([+-]?nan|[+-]?inf(inity)?|na|n\/a|null|none|\?|)$/i;

const isNumber = (cell: string) => NUMBER.test(cell.trim());
const isText = (cell: string) => !isNumber(cell) && !MISSING.test(cell.trim());

/** What `parseCsv` returns. */
export interface CsvTable {
  /** A row a data row of the file. */
  readonly table: Table;
  /** Of the columns. */
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
  const delimiter = detectDelimiter(text, path);
  const { names, header } = head(text, path, delimiter, 2);
  const chosen = options.columns ? chooseColumns(path, options.columns, names) : names.map((_, i) => i);

  // Records and lines differ where lines are blank; counting lines is slow, so it is left to errors.
  const row = (index: number) => {
    let line = 0;
    const on_record = (_: unknown, { lines }: { lines: number }) => {
      line = lines;
      return null;
    };
    parseRecords(path, text, { delimiter, to: index + 1, on_record });
    return line;
  };
  let values = new Float64Array(1024 * chosen.length);
  let length = 0;
  let index = 0;
  for (const block of blocks(text)) {
    for (const record of parseRecords(path, block, { delimiter })) {
      if (record.length !== names.length) {
        const expected = `${count(names.length, "column")}, like row ${row(0)}`;
        throw new FlowError("input", `${path}, row ${row(index)}: ${record.length} instead of ${expected}`);
      }
      if (!header || index > 0) {
        if (length + chosen.length > values.length) values = grown(values);
        for (const column of chosen) {
          const cell = record[column].trim();
          const value = isNumber(cell) ? Number(cell) : Number.NaN;
          if (!Number.isFinite(value)) {
            const place = header ? `column ${quote(names[column])}` : `column ${column + 1}`;
            const [what, ...advice] = complaint(cell);
            throw new FlowError("input", `${path}, row ${row(index)}, ${place}: ${what}`, { advice });
          }
          values[length++] = value;
        }
      }
      index++;
    }
  }
  const table = new Table(length / chosen.length, chosen.length, values.slice(0, length));
  return { table, names: chosen.map((column) => names[column]) };
}

/** Text without quotation marks may be cut at any line end, so that the cells of one part are in memory at a time. */
function* blocks(text: string): Generator<string> {
  if (text.includes('"')) {
    yield text;
    return;
  }
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf("\n", start + BLOCK) + 1 || text.length;
    yield text.slice(start, end);
    start = end;
  }
}

function grown(values: Float64Array): Float64Array<ArrayBuffer> {
  const more = new Float64Array(2 * values.length);
  more.set(values);
  return more;
}

/** The names of all columns, whether they come from a header, and the first data rows. */
function head(
  text: string,
  path: string,
  delimiter: string,
  rows: number,
): { names: string[]; header: boolean; rows: string[][] } {
  const records = parseRecords(path, text, { delimiter, to: rows });
  check(records.length > 0, "input", `${path}: the file is empty`);
  const header = isHeader(records[0], records[1]);
  const data = records.slice(header ? 1 : 0);
  check(data.length > 0, "input", `${path}: a header but no data rows`);
  const names = records[0].map((cell, i) => (header && cell.trim()) || `column ${i + 1}`);
  return { names, header, rows: data };
}

/**
 * The names of all columns of a CSV file, and whether each starts with numbers, from its first rows.
 * @throws FlowError `input` for a file that is empty, is no text or has no data rows
 */
export function csvColumns(bytes: Uint8Array, path: string): { name: string; numeric: boolean }[] {
  const text = decode(bytes, path);
  const { names, rows } = head(text, path, detectDelimiter(text, path), LOOK);
  return names.map((name, i) => ({
    name,
    numeric: rows.some((row) => isNumber(row[i] ?? "")) && !rows.some((row) => isText(row[i] ?? "")),
  }));
}

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
  check(
    bytes.length < LONGEST,
    "input",
    `${path}: text of more than ${LONGEST} bytes is not read, only an NPY file can hold so much`,
  );
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    // One kind of line end, so that the parser counts lines as editors do.
    return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
  } catch (cause) {
    throw new FlowError("input", `${path}: not a text file in UTF-8`, { cause });
  }
}

function detectDelimiter(text: string, path: string): string {
  const line = /^\s*(.*)/.exec(text)?.[1].replace(/"[^"]*"/g, "") ?? "";
  // Commas come last: with the other two they may be decimal points.
  const delimiter = ["\t", ";"].find((candidate) => line.includes(candidate)) ?? ",";
  let columns = 1;
  for (let at = line.indexOf(delimiter); at >= 0; at = line.indexOf(delimiter, at + 1)) columns++;
  check(columns <= MOST_COLUMNS, "input", `${path}: ${columns} columns, at most ${MOST_COLUMNS} are read`);
  return delimiter;
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
      `${path}: several columns are named ${quote(choice)}; choose by number, 1 to ${names.length}`,
    );
    if (index < 0 && /^\d+$/.test(choice) && Number(choice) <= names.length) index = Number(choice) - 1;
    if (index < 0) throw unknownColumn(path, choice, names);
    check(!chosen.includes(index), "usage", `${path}: column ${quote(choice)} is chosen twice`);
    chosen.push(index);
  }
  return chosen;
}

function unknownColumn(path: string, choice: string, names: readonly string[]): FlowError {
  const nearest = nearestName(choice, names);
  const hint =
    nearest === null
      ? `choose by header name or number, 1 to ${names.length}`
      : `did you mean ${quote(nearest)}?`;
  return new FlowError("usage", `${path}: there is no column ${quote(choice)}; ${hint}`);
}

/** What is wrong with a cell that holds no finite number, and what helps. */
function complaint(cell: string): [string, ...Advice[]] {
  if (cell === "") return ["the cell is empty"];
  if (NAN.test(cell)) return ["the number is NaN"];
  if (INFINITE.test(cell)) return ["the number is infinite"];
  if (isNumber(cell)) return [`${shown(cell)} is too large for a number`];
  const what = `${quote(cell)} is not a number; choose columns of numbers, or write this one in numbers`;
  return [what, { option: "columns" }];
}

/** Foreign text, cut where it is long. */
const shown = (text: string) => (text.length > 40 ? `${text.slice(0, 40)}...` : text);
const quote = (text: string) => JSON.stringify(shown(text));

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

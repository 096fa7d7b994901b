import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it, vi } from "vitest";
import { FlowError } from "../errors.js";
import { Table } from "../table.js";
import { csvColumns, formatCsv } from "./csv.js";
import { readCsv } from "./read-csv.js";

const folder = mkdtempSync(join(tmpdir(), "csv-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function file(content: string | Uint8Array, ending = ".csv"): string {
  const path = join(folder, `${files++}${ending}`);
  writeFileSync(path, content);
  return path;
}

function read(content: string, columns?: string[]) {
  const { table, names } = readCsv(file(content), columns ? { columns } : {});
  return { rows: table.toArray(), names };
}

/** The code and the message, without the name of the file, of the error that reading throws. */
function failure(content: string | Uint8Array, columns?: string[], ending?: string): string {
  const path = file(content, ending);
  try {
    readCsv(path, columns ? { columns } : {});
  } catch (error) {
    if (!(error instanceof FlowError) || !error.message.startsWith(path)) throw error;
    return error.code + error.message.slice(path.length);
  }
  throw new Error("no error");
}

describe("readCsv", () => {
  it("names the columns by the header, or by number", () => {
    expect(read("a,b\n1,2\n3,4\n")).toEqual({
      rows: [
        [1, 2],
        [3, 4],
      ],
      names: ["a", "b"],
    });
    expect(read("1,2\n3,4")).toEqual({
      rows: [
        [1, 2],
        [3, 4],
      ],
      names: ["column 1", "column 2"],
    });
    expect(read(",b\n1,2").names).toEqual(["column 1", "b"]);
    expect(read("x1,2020\n1,2").names).toEqual(["x1", "2020"]);
  });

  it("reads numbers in all common forms", () => {
    expect(read(' 1 ,-.5\n+2., "3e-2"\n" 7 ",\t1E3').rows).toEqual([
      [1, -0.5],
      [2, 0.03],
      [7, 1000],
    ]);
  });

  it("recognises semicolons and tabs, line ends of all systems, a byte order mark and blank lines", () => {
    for (const end of ["\n", "\r\n", "\r"]) {
      for (const delimiter of [",", ";", "\t"]) {
        const lines = ["\ufeff", "a,b", "1,2", "", "  ", "3,4", "", ""];
        expect(read(lines.join(end).replaceAll(",", delimiter)).rows).toEqual([
          [1, 2],
          [3, 4],
        ]);
      }
    }
    expect(read('"a, b";c\n1;2').names).toEqual(["a, b", "c"]);
  });

  it("unpacks .csv.gz", () => {
    const { table } = readCsv(file(gzipSync("1,2\n3,4\n"), ".csv.gz"));
    expect(table.toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(failure("1,2\n", undefined, ".csv.gz")).toMatch(/^input: not a complete gzip file/);
  });

  it("chooses columns by name and number, in the order given, whatever the others hold", () => {
    const content = "sex,length,rings\nM,0.5,15\nF,0.4,\n";
    expect(read(content, ["length"])).toEqual({ rows: [[0.5], [0.4]], names: ["length"] });
    expect(read("M,1,2\nF,3,4", ["3", "column 2"]).rows).toEqual([
      [2, 1],
      [4, 3],
    ]);
    expect(read("b,2,1\n1,2,3", ["1"]).rows).toEqual([[3]]);
  });

  it.each([
    ["text in a row", "a,b\n1,2\n3,x", 'input, row 3, column "b": "x" is not a number'],
    ["text in a column", "M,1\nF,2\n", 'input, row 1, column 1: "M" is not a number'],
    ["text under a header", "sex,length\nM,1\n", 'input, row 2, column "sex": "M" is not a number'],
    ["a decimal comma", "1,5;2\n1,5;3\n", 'input, row 1, column 1: "1,5" is not a number'],
    ["an empty cell", "a,b\n\n1,\n", 'input, row 3, column "b": the cell is empty'],
    ["an empty cell between tabs", "1\t2\t3\n1\t\t3\n", "input, row 2, column 2: the cell is empty"],
    ["an empty last cell", "1\t2\n1\t\n", "input, row 2, column 2: the cell is empty"],
    ["empty cells", "1,2\n,\n", "input, row 2, column 1: the cell is empty"],
    ["NaN", "1,nan\n2,3", "input, row 1, column 2: the number is NaN"],
    ["infinity", "1,2\n2,-Inf", "input, row 2, column 2: the number is infinite"],
    ["overflow", "1,2\n2,1e999", "input, row 2, column 2: 1e999 is too large for a number"],
    ["hexadecimal", "1\n0x10", 'input, row 2, column 1: "0x10" is not a number'],
    ["a short row", "1,2,3\n\n4,5\n", "input, row 3: 2 instead of 3 columns, like row 1"],
    ["a long row", "\n1\n2,3\n", "input, row 3: 2 instead of 1 column, like row 2"],
    ["an open quote", '1,2\n"3,4\n', "input, row 2: a quotation mark"],
    ["text after a quote", '1,2\n"3"4,5\n', "input, row 2: text follows a closing quotation mark"],
    ["an empty file", "", "input: the file is empty"],
    ["blank lines only", "\n  \n", "input: the file is empty"],
    ["a header only", "a,b\n", "input: a header but no data rows"],
    ["zero bytes", "1,2\n\0", "input: not a text file in UTF-8"],
  ])("refuses %s", (_, content, message) => {
    const received = failure(content);
    expect(received.slice(0, message.length)).toBe(message);
    expect(received).not.toContain("\n");
  });

  it("takes time in proportion to the length of a cell", () => {
    // Twice as long, a cell took four times as long: 200,000 digits before an x never ended.
    const digits = "1".repeat(300_000);
    for (const cell of [digits, `${digits}.${digits}`, `1${" ".repeat(300_000)}`])
      expect(failure(`1,2\n3,${cell}x\n`)).toMatch(/^input, row 2, column 2: ".{40}\.\.\." is not a number/);
    expect(failure(`1\n${digits}\n`)).toMatch(
      /^input, row 2, column 1: 1{40}\.\.\. is too large for a number$/,
    );
    const name = "n".repeat(300_000);
    expect(failure(`${name},b\n1,2\n`, ["c"]).length).toBeLessThan(200);
    expect(failure(`${name},b\nx,2\n1,3\n`).length).toBeLessThan(200);
  });

  it("reads long files part by part, to the same numbers and rows", () => {
    const rows = Array.from({ length: 30_000 }, (_, i) => `${i}.00000000000000000,-${i}.50000000000000000`);
    const text = `a,b\n${rows.join("\n")}\n`;
    expect(text.length).toBeGreaterThan(2 ** 20);
    const { table } = readCsv(file(text));
    expect(table.rows).toBe(30_000);
    expect(table.values.every((x, i) => x === (i % 2 ? -((i >> 1) + 0.5) : i / 2))).toBe(true);
    rows[29_000] = "1,x";
    expect(failure(`a,b\n\n${rows.join("\n")}\n`)).toMatch(/^input, row 29003, column "b": "x" is not/);
  });

  it("stops where a file unpacks to more than is allowed, and where it has more columns than make sense", () => {
    vi.stubEnv("MONOTONE_FLOWS_MAX_TABLE_MB", "0.001");
    expect(
      failure(gzipSync("1,2\n".repeat(1000)), undefined, ".csv.gz").replace(/\d+ bytes/, "N bytes"),
    ).toBe(
      "input: its N bytes unpack to more, where a table may have at most 0.001 MB; MONOTONE_FLOWS_MAX_TABLE_MB raises this limit",
    );
    expect(failure("1,2\n".repeat(1000))).toMatch(
      /^input: a larger file, where a table may have at most 0.001 MB/,
    );
    vi.stubEnv("MONOTONE_FLOWS_MAX_TABLE_MB", "0.005");
    expect(readCsv(file(gzipSync("1,2\n".repeat(1000)), ".csv.gz")).table.rows).toBe(1000);
    vi.stubEnv("MONOTONE_FLOWS_MAX_TABLE_MB", "many");
    expect(() => readCsv(file("1,2\n"))).toThrow(
      "MONOTONE_FLOWS_MAX_TABLE_MB must be a positive number, not 'many'",
    );
    vi.unstubAllEnvs();
    expect(failure("1,".repeat(1e5))).toBe("input: 100001 columns, at most 10000 are read");
  });

  it("refuses text in other encodings", () => {
    expect(failure(Uint8Array.of(0x47, 0xf6, 0x0a))).toBe("input: not a text file in UTF-8");
  });

  it("refuses unknown and repeated columns", () => {
    const content = "alpha,beta,beta\n1,2,3\n";
    expect(failure(content, ["alhpa"])).toBe('usage: there is no column "alhpa"; did you mean "alpha"?');
    expect(failure(content, ["4"])).toMatch(/^usage: there is no column "4"; .* 1 to 3$/);
    expect(failure(content, ["0"])).toMatch(/^usage: there is no column "0"/);
    expect(failure(content, ["alpha", "1"])).toBe('usage: column "1" is chosen twice');
    expect(failure(content, ["beta"])).toMatch(/^usage: several columns are named "beta"/);
    expect(failure(content, [])).toBe("usage: no columns are chosen");
  });

  it("refuses missing files and directories", () => {
    const missing = join(folder, "missing.csv");
    expect(() => readCsv(missing)).toThrow(new FlowError("input", `${missing}: there is no such file`));
    const directory = join(folder, "directory");
    mkdirSync(directory);
    expect(() => readCsv(directory)).toThrow(/this is a directory, not a file/);
  });

  it.skipIf(process.platform !== "linux")("refuses what may never end", () => {
    const pipe = join(folder, "pipe.csv");
    execFileSync("mkfifo", [pipe]);
    expect(() => readCsv(pipe)).toThrow(new FlowError("input", `${pipe}: this is a named pipe, not a file`));
    expect(() => readCsv("/dev/zero")).toThrow("/dev/zero: this is a device, not a file");
  });
});

describe("formatCsv", () => {
  it("reads back equal, names and numbers", () => {
    const values = [0.1, -0, 1e300, 5e-324, 1 / 3, -123456789.125];
    const table = new Table(3, 2, Float64Array.from(values));
    const names = ['say "x", y', " b "];
    const back = readCsv(file(formatCsv(table, names)));
    expect(back.table.values).toEqual(table.values);
    expect(formatCsv(table, names).split("\n")[1]).toBe("0.1,-0");
    expect(back.names[0]).toBe(names[0]);
  });

  it("needs a name a column", () => {
    expect(() => formatCsv(new Table(1, 2), ["a"])).toThrow(/2 columns needs as many names, not 1/);
  });
});

describe("csvColumns", () => {
  const columns = (text: string) => csvColumns(new TextEncoder().encode(text), "data.csv");

  it("names the columns and tells numbers from text", () => {
    expect(columns("id,x,y\na,1,nan\nb,2,3\n")).toEqual([
      { name: "id", numeric: false },
      { name: "x", numeric: true },
      { name: "y", numeric: true },
    ]);
    expect(columns("1;2\n3;4\n").map(({ name }) => name)).toEqual(["column 1", "column 2"]);
  });

  it("refuses a file without rows", () => {
    expect(() => columns("")).toThrow("data.csv: the file is empty");
    expect(() => columns("x,y\n")).toThrow("data.csv: a header but no data rows");
  });
});

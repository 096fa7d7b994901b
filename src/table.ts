import { check, quoted } from "./errors.js";

/** Rows of numbers, row-major: the form in which samples enter and leave the package. */
export class Table {
  /** Samples. */
  readonly rows: number;
  /** Numbers of a sample. */
  readonly columns: number;
  /** Element (row, column) stands at `row * columns + column`. */
  readonly values: Float64Array;

  /** `values`: rows x columns numbers, row-major (default: zeros). Throws a `usage` error for another number of them. */
  constructor(rows: number, columns: number, values: Float64Array = new Float64Array(rows * columns)) {
    check(
      values.length === rows * columns,
      "usage",
      `a table of ${rows} rows and ${columns} columns needs ${rows * columns} numbers, not ${values.length}`,
    );
    this.rows = rows;
    this.columns = columns;
    this.values = values;
  }

  /**
   * A table from an array of rows, plain or typed; a table is taken as it is. Throws a `usage` error for rows of several
   * lengths and for what is no number.
   */
  static from(rows: Table | readonly ArrayLike<number>[]): Table {
    if (rows instanceof Table) return rows;
    const columns = rows[0]?.length ?? 0;
    const table = new Table(rows.length, columns);
    rows.forEach((row, i) => {
      check(
        row.length === columns,
        "usage",
        `row ${i} has ${row.length} columns, the rows before it have ${columns}`,
      );
      for (let j = 0; j < columns; j++) {
        // Memory for numbers takes null for 0, and text for what it says.
        check(
          typeof row[j] === "number",
          "usage",
          `row ${i}, column ${j} (counted from 0) is no number: ${quoted(row[j])}`,
        );
        table.values[i * columns + j] = row[j];
      }
    });
    return table;
  }

  /** The same rows in memory of their own: what becomes of the others later does not change it. */
  static copy(rows: Table | readonly ArrayLike<number>[]): Table {
    return rows instanceof Table ? new Table(rows.rows, rows.columns, rows.values.slice()) : Table.from(rows);
  }

  /** The number in that row and column, both counted from 0. */
  at(row: number, column: number): number {
    return this.values[row * this.columns + column];
  }

  /** One row, as a view on the same memory. */
  row(index: number): Float64Array {
    return this.values.subarray(index * this.columns, (index + 1) * this.columns);
  }

  /** Rows `start` to `end` (excluded), as a view on the same memory. */
  slice(start: number, end = this.rows): Table {
    const { columns } = this;
    return new Table(end - start, columns, this.values.subarray(start * columns, end * columns));
  }

  /** A copy of one column. */
  column(index: number): Float64Array {
    return Float64Array.from({ length: this.rows }, (_, row) => this.at(row, index));
  }

  /** A copy as an array of rows. */
  toArray(): number[][] {
    return Array.from({ length: this.rows }, (_, row) => Array.from(this.row(row)));
  }
}

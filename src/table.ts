import { check } from "./errors.js";

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

  /** A table from an array of rows; every row must have the same number of columns. */
  static from(rows: Table | readonly (readonly number[])[]): Table {
    if (rows instanceof Table) return rows;
    const columns = rows[0]?.length ?? 0;
    const table = new Table(rows.length, columns);
    rows.forEach((row, i) => {
      check(
        row.length === columns,
        "usage",
        `row ${i} has ${row.length} columns, the rows before it have ${columns}`,
      );
      table.values.set(row, i * columns);
    });
    return table;
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

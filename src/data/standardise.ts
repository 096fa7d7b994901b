import { check } from "../errors.js";
import type { Table } from "../table.js";

/** A column whose values differ by less than this, relative to the largest, holds rounding errors only. */
const CONSTANT = 1e-12;

/**
 * Mean and population standard deviation of every column, in the units of the column: standardised values
 * are (x - mean) / deviation.
 *
 * Two passes, the first over differences from the first row: a constant column gives exactly zero.
 *
 * @param names what errors call the columns; `column 1`, ... by default
 * @throws FlowError `input` for a table without rows, and for a column that is constant
 */
export function standardisation(
  table: Table,
  names: readonly string[] = Array.from({ length: table.columns }, (_, i) => `column ${i + 1}`),
): { mean: number[]; deviation: number[] } {
  check(table.rows > 0, "input", "a table without rows has no mean");
  const mean: number[] = [];
  const deviation: number[] = [];
  for (let column = 0; column < table.columns; column++) {
    const values = table.column(column);
    const centre = values[0] + values.reduce((sum, x) => sum + (x - values[0]), 0) / table.rows;
    const spread = Math.sqrt(values.reduce((sum, x) => sum + (x - centre) ** 2, 0) / table.rows);
    const magnitude = values.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0);
    check(
      Number.isFinite(spread),
      "input",
      `${names[column]}: the numbers are not finite or too large to square`,
    );
    check(
      spread > CONSTANT * magnitude,
      "input",
      `${names[column]}: every row has the same value, ${values[0]}, so the column has no density; leave it out`,
    );
    mean.push(centre);
    deviation.push(spread);
  }
  return { mean, deviation };
}

import { check } from "../errors.js";
import { Table } from "../table.js";
import { heldOut, shuffledOrder } from "./shuffled-order.js";

/**
 * Shuffles the rows (Fisher and Yates; the same for the same seed) and holds out a share of them.
 *
 * @param fraction the share of the rows that becomes `test`, between 0 and 1; both parts keep at least a row
 * @throws FlowError `usage` for another fraction, `input` for a table of fewer than two rows
 */
export function splitRows(table: Table, fraction: number, seed: number): { train: Table; test: Table } {
  check(fraction > 0 && fraction < 1, "usage", `the share of test rows is between 0 and 1, not ${fraction}`);
  check(table.rows >= 2, "input", `a table needs at least 2 rows to be split, this one has ${table.rows}`);
  const order = shuffledOrder(table.rows, seed);
  const shuffled = new Table(table.rows, table.columns);
  order.forEach((row, i) => {
    shuffled.row(i).set(table.row(row));
  });
  const held = heldOut(table.rows, fraction);
  return { train: shuffled.slice(held), test: shuffled.slice(0, held) };
}

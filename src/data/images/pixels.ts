import { Table } from "../../table.js";

/** Noisy pixels, as flows make them, to the pixels below them, 0 to levels - 1. */
export function pixelTable({ rows, columns, values }: Table, levels: number): Table {
  return new Table(
    rows,
    columns,
    values.map((x) => Math.min(levels - 1, Math.max(0, Math.floor(x)))),
  );
}

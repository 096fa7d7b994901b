/** The tables that go into a flow. */
import { check } from "../errors.js";
import { Table } from "../table.js";
import { supported } from "./support.js";

/** Rows of numbers, as a table or as arrays. */
export type Samples = Table | readonly ArrayLike<number>[];

/**
 * A copy of the samples as they are now. Throws a `usage` error unless it has `dim` columns, an `input` error where one is NaN. Data may
 * be infinite, which has the density 0; latents may be no larger than FARTHEST, where float32 still has their images.
 */
export function checkedSamples(samples: Samples, dim: number, of: "data" | "latents" = "data"): Table {
  const table = Table.copy(samples);
  const fits = table.rows === 0 || table.columns === dim;
  check(fits, "usage", `the flow has ${dim} dimensions, the samples have ${table.columns}`);
  const right = of === "data" ? (x: number) => !Number.isNaN(x) : supported;
  const wrong = table.values.findIndex((x) => !right(x));
  const where = `row ${Math.floor(wrong / dim)}, column ${wrong % dim}`;
  check(wrong < 0, "input", `the samples hold ${table.values[wrong]} at ${where} (counted from 0)`);
  return table;
}

/** Throws a `usage` error unless it is a number of samples that can be drawn. */
export function checkedSize(count: number): void {
  check(
    Number.isInteger(count) && count > 0,
    "usage",
    `the number of samples must be a positive integer, not ${count}`,
  );
}

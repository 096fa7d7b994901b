/**
 * Rows that a map has no trustworthy result for: a solve on their way missed its tolerance, or what came out is not
 * finite although all converged. Their results are NaN.
 *
 * A map that is given a collector (`MapOptions.failures`) writes such rows down there; one that is not throws.
 */
import { FlowError } from "../errors.js";
import { Table } from "../table.js";

/** Collects the rows of a map that failed, with the blocks whose solves missed. */
export class FailedRows {
  /** Rows that were mapped. */
  rows = 0;
  readonly #places = new Map<number, number>();

  /** Notes a failed row by its number; `place` is that of the block whose solve missed, from 1, or 0 where none did. */
  add(row: number, place: number): void {
    this.#places.set(row, place);
  }

  /** How many rows have failed. */
  get count(): number {
    return this.#places.size;
  }

  /** Failed rows on whose way a solve missed its tolerance. */
  get unconverged(): number {
    return [...this.#places.values()].filter((place) => place > 0).length;
  }

  /** Failed rows whose solves converged, but whose result is not finite. */
  get notFinite(): number {
    return this.count - this.unconverged;
  }

  /** The failed rows and the places of their blocks, as `add` was told. */
  entries(): [row: number, place: number][] {
    return [...this.#places].sort(([a], [b]) => a - b);
  }

  /** The numbers of the failed rows, in order. */
  list(): number[] {
    return this.entries().map(([row]) => row);
  }

  /** The rows of a map's result that have not failed, the first of which has the number 0. */
  rest(result: Table): Table {
    const kept = Array.from({ length: result.rows }, (_, i) => i).filter((i) => !this.#places.has(i));
    const rest = new Table(kept.length, result.columns);
    kept.forEach((i, n) => {
      rest.row(n).set(result.row(i));
    });
    return rest;
  }

  /** What has failed, as one clause; `what` names a row, such as "sample". */
  describe(what = "row"): string {
    const blocks = [...new Set(this.#places.values())].filter((place) => place > 0).sort((a, b) => a - b);
    const { unconverged, notFinite, rows } = this;
    const causes = [
      ...(unconverged > 0
        ? [`the solver missed its tolerance in block${blocks.length > 1 ? "s" : ""} ${blocks.join(", ")}`]
        : []),
      ...(notFinite > 0
        ? [`${unconverged > 0 ? `in ${notFinite} of them ` : ""}the result is not finite`]
        : []),
    ];
    return `${this.count} of ${rows} ${what}s failed: ${causes.join("; ")}`;
  }

  /** Throws a `numerical` error if a row has failed. */
  check(): void {
    if (this.count === 0) return;
    throw new FlowError(
      "numerical",
      `${this.describe()}; certify() tells whether the flow's blocks are contractions, and with the option \`failures\` such rows become NaN`,
    );
  }
}

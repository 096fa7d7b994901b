/**
 * Rows in shared memory that ranks map piece by piece: each takes the next piece that nobody has taken. A piece is a
 * whole number of the flow's passes, so a pass holds the same rows whoever makes it (a solve ends when all rows of
 * its pass have converged), and the result does not depend on the number of ranks.
 */
import { FailedRows } from "../flows/failed-rows.js";
import type { Flow } from "../flows/flow.js";
import type { MapOptions } from "../flows/flow-maps.js";
import { sumOf } from "../flows/terms.js";
import { Table } from "../table.js";

/** What is done with every row x of a table. */
export type RowMap = "forward" | "inverse" | "logProb";

/** About so many rows make a piece: some milliseconds of work. */
const PIECE_ROWS = 512;
/** So many pieces a rank fill the memory: a rank that is late at its end loses a small part of the whole. */
const PIECES_A_RANK = 32;

/** The memory, as it is posted to workers. */
export interface SharedRows {
  readonly dim: number;
  readonly rows: number;
  /** Rows of a piece. */
  readonly piece: number;
  /** The number of pieces that have been taken (Int32). */
  readonly taken: SharedArrayBuffer;
  /** Float64, row-major. */
  readonly input: SharedArrayBuffer;
  readonly output: SharedArrayBuffer;
  /** Float64, one number a row: log-determinants or log-densities. */
  readonly numbers: SharedArrayBuffer;
  /** Int32, one number a row: 0, or of a row that has failed the place of its block as `FailedRows` has it, plus 1. */
  readonly failed: SharedArrayBuffer;
}

export function sharedRows(flow: Flow, ranks: number): SharedRows {
  const { dim } = flow;
  const piece = pieceRows(flow);
  const rows = ranks * PIECES_A_RANK * piece;
  return {
    dim,
    rows,
    piece,
    taken: new SharedArrayBuffer(4),
    input: new SharedArrayBuffer(8 * rows * dim),
    output: new SharedArrayBuffer(8 * rows * dim),
    numbers: new SharedArrayBuffer(8 * rows),
    failed: new SharedArrayBuffer(4 * rows),
  };
}

/** Rows of a piece: full passes of the flow; of a flow that estimates, whose passes take long, a single one. */
export function pieceRows({ capacity, declaration }: Flow): number {
  return declaration.estimator ? capacity : Math.ceil(PIECE_ROWS / capacity) * capacity;
}

/** The options for rows that start so many further on. */
export function from(options: MapOptions, rows: number): MapOptions {
  return { ...options, first: (options.first ?? 0) + rows };
}

/** Fills the start of the memory with rows, of which no piece has been taken. */
export function putRows({ input, taken }: SharedRows, { values }: Table): void {
  new Float64Array(input).set(values);
  Atomics.store(new Int32Array(taken), 0, 0);
}

/** What the first `count` rows were mapped to, as views on the memory. */
export function takeRows(
  { dim, output, numbers, failed }: SharedRows,
  map: RowMap,
  count: number,
): MappedRows {
  return {
    points: map === "logProb" ? null : new Table(count, dim, new Float64Array(output, 0, count * dim)),
    numbers: new Float64Array(numbers, 0, count),
    failed: new Int32Array(failed, 0, count),
  };
}

/** What a map gives for some rows. */
export interface MappedRows {
  /** Null where the map gives only numbers. */
  readonly points: Table | null;
  readonly numbers: Float64Array;
  /** As in `SharedRows`. */
  readonly failed: Int32Array;
}

/** Maps rows on one rank. */
export async function mapRows(flow: Flow, map: RowMap, rows: Table, given: MapOptions): Promise<MappedRows> {
  const failures = new FailedRows();
  const failed = new Int32Array(rows.rows);
  const kind = map === "logProb" ? "density" : map;
  const { out, terms } = await flow.mapRows(rows, kind, { ...given, failures });
  for (const [row, place] of failures.entries()) failed[row - (given.first ?? 0)] = place + 1;
  return { points: map === "logProb" ? null : out, numbers: sumOf(terms, rows.rows), failed };
}

/** Maps pieces of the first `count` rows until all have been taken; `afterPiece` is called after each. */
export async function mapPieces(
  flow: Flow,
  shared: SharedRows,
  map: RowMap,
  count: number,
  options: MapOptions,
  afterPiece?: () => Promise<void>,
): Promise<void> {
  const { dim, piece } = shared;
  const taken = new Int32Array(shared.taken);
  const input = new Table(shared.rows, dim, new Float64Array(shared.input));
  const output = new Float64Array(shared.output);
  const numbers = new Float64Array(shared.numbers);
  const failed = new Int32Array(shared.failed);
  for (;;) {
    const start = Atomics.add(taken, 0, 1) * piece;
    if (start >= count) return;
    const rows = input.slice(start, Math.min(start + piece, count));
    const mapped = await mapRows(flow, map, rows, from(options, start));
    if (mapped.points) output.set(mapped.points.values, start * dim);
    numbers.set(mapped.numbers, start);
    failed.set(mapped.failed, start);
    await afterPiece?.();
  }
}

/** No rank takes another piece. */
export function stopPieces({ taken, rows, piece }: SharedRows): void {
  Atomics.store(new Int32Array(taken), 0, rows / piece);
}

/** Samples on the host, [sample][dimension], and on an engine, [dimension][lane]. */
import { type Engine, type Matrix, matrix, paddedLanes } from "../../src/engine/engine.js";
import { Purpose, Random } from "../../src/model/random.js";

export type Rows = number[][];

/** A new matrix that holds the samples; the lanes beyond them are zeros. */
export function upload(engine: Engine, rows: Rows): Matrix {
  const dim = rows[0].length;
  const lanes = paddedLanes(engine, rows.length);
  const staging = new Float64Array(dim * lanes);
  rows.forEach((row, i) => {
    row.forEach((value, j) => {
      staging[j * lanes + i] = value;
    });
  });
  const m = matrix(engine.tensor(dim * lanes), dim, lanes);
  engine.write(m.tensor, staging);
  return m;
}

/** The first `count` samples of a matrix. */
export async function download(engine: Engine, m: Matrix, count = m.lanes): Promise<Rows> {
  const all = new Float64Array((m.rows - 1) * m.stride + m.lanes);
  await engine.read(m.tensor, all, m.offset);
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length: m.rows }, (_, j) => all[j * m.stride + i]),
  );
}

export const testRandom = (seed: number) => new Random(seed, Purpose.testing);

/** Samples from a normal distribution of the given deviation. */
export function normalRows(random: Random, count: number, dim: number, deviation = 1): Rows {
  return Array.from({ length: count }, () => Array.from({ length: dim }, () => deviation * random.normal()));
}

export const transpose = (rows: Rows): Rows => rows[0].map((_, j) => rows.map((row) => row[j]));
export const subtract = (a: readonly number[], b: readonly number[]) => a.map((x, i) => x - b[i]);
export const add = (a: readonly number[], b: readonly number[]) => a.map((x, i) => x + b[i]);
export const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * b[i], 0);
export const norm = (a: readonly number[]) => Math.hypot(...a);

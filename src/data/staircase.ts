/**
 * The target of the 1-D fitting experiment (Ahn et al. 2022): on [-2, 2], a staircase of four equal steps,
 *   s(x) = t(x + 2) + t(x + 1) + t(x) + t(x - 1),
 *   t(w) = min(max(0, alpha w, min((w - (1 - alpha)) / alpha, 1)), 1), alpha = 0.05,
 * whose slopes are alpha = 1/20 on the treads and 1/alpha = 20 on the risers.
 */
import { Purpose, Random } from "../model/random.js";
import { Table } from "../table.js";
import type { DataSource } from "./source.js";

const ALPHA = 0.05;
const SHIFTS = [2, 1, 0, -1];
/** Where tread and riser of one step meet: alpha w = (w - (1 - alpha)) / alpha. */
const EDGE = 1 / (1 + ALPHA);

/** The interval that x is drawn from. */
export const staircaseInterval = [-2, 2] as const;
/** The slopes of treads and risers. */
export const staircaseSlopes = [ALPHA, 1 / ALPHA] as const;

const step = (w: number) => Math.min(Math.max(0, ALPHA * w, Math.min((w - (1 - ALPHA)) / ALPHA, 1)), 1);

/** s(x). */
export function staircase(x: number): number {
  return SHIFTS.reduce((sum, shift) => sum + step(x + shift), 0);
}

/** The slope of the tread or riser over x; at an edge that of the piece on its right. */
export function staircaseSlope(x: number): number {
  return x - Math.floor(x) < EDGE ? staircaseSlopes[0] : staircaseSlopes[1];
}

/** Pairs (x, s(x)) for regression, x uniform on [-2, 2]. */
export const staircaseSource: DataSource = {
  name: "staircase",
  dim: 2,
  entropy: null,
  columns: ["x", "s(x)"],
  density: null,
  fill(out, seed, step, start, count) {
    draw(new Random(seed, Purpose.training), out, step, start, count);
  },
  test(seed, count) {
    const table = new Table(count, 2);
    draw(new Random(seed, Purpose.testing), table.values, 0, 0, count);
    return table;
  },
};

function draw(random: Random, out: Float64Array, step: number, start: number, count: number): void {
  const [low, high] = staircaseInterval;
  for (let i = 0; i < count; i++) {
    const x = low + (high - low) * random.seek(step, start + i).uniform();
    out[2 * i] = x;
    out[2 * i + 1] = staircase(x);
  }
}

/**
 * The power iteration of a 3 x 3 convolution as the studies keep it, images u and v with sigma = u^T W v, and as it is
 * kept here: u and S = dsigma/dW, S[r][tap][c] = sum over pixels of u[r][pixel] v[c][neighbour at the tap], so that
 * sigma = <W, S> (`GridNorm`).
 */
import { type Grid, TAPS } from "../engine/engine.js";

/** Calls `visit` with every pixel and its neighbour at every tap, where there is one. */
function neighbours(
  { height, width }: Grid,
  visit: (tap: number, pixel: number, neighbour: number) => void,
): void {
  for (let tap = 0; tap < TAPS; tap++) {
    const [dy, dx] = [Math.floor(tap / 3) - 1, (tap % 3) - 1];
    for (let y = Math.max(0, -dy); y < Math.min(height, height - dy); y++) {
      for (let x = Math.max(0, -dx); x < Math.min(width, width - dx); x++) {
        visit(tap, y * width + x, (y + dy) * width + x + dx);
      }
    }
  }
}

/** S, [row][tap][column], of u, [row][pixel], and v, [column][pixel]. */
export function slopeOf(
  u: Float64Array,
  v: Float64Array,
  rows: number,
  columns: number,
  grid: Grid,
): Float64Array {
  const pixels = grid.height * grid.width;
  const slope = new Float64Array(rows * TAPS * columns);
  neighbours(grid, (tap, pixel, neighbour) => {
    for (let r = 0; r < rows; r++) {
      const left = u[r * pixels + pixel];
      const row = (r * TAPS + tap) * columns;
      for (let c = 0; c < columns; c++) slope[row + c] += left * v[c * pixels + neighbour];
    }
  });
  return slope;
}

/** The v along W^T u with u^T W v = sigma; W is [row][tap][column]. */
export function rightOf(
  weight: Float64Array,
  u: Float64Array,
  rows: number,
  columns: number,
  grid: Grid,
  sigma: number,
): Float64Array {
  const pixels = grid.height * grid.width;
  const v = new Float64Array(columns * pixels);
  neighbours(grid, (tap, pixel, neighbour) => {
    for (let r = 0; r < rows; r++) {
      const left = u[r * pixels + pixel];
      const row = (r * TAPS + tap) * columns;
      for (let c = 0; c < columns; c++) v[c * pixels + neighbour] += weight[row + c] * left;
    }
  });
  // u^T W (W^T u) = |W^T u|^2.
  const squares = v.reduce((sum, x) => sum + x * x, 0);
  return squares > 0 ? v.map((x) => (x * sigma) / squares) : v;
}

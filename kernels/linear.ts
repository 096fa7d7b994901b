// Matrix products with the lanes innermost. Strides are in bytes; lanes are a multiple of 4.
import { LANES, BYTES } from "./simd";
import { linearPair, linearSingle, linearSix, outerRows } from "./generated/tiles";

// Six vectors: at this width all columns of the input tile stay in the first-level cache while the rows go by.
const TILE: i32 = 6;

/**
 * out[r][l] (+)= sum_c weight[r][c] input[c][l], plus bias[r] in the first `biasLanes` lanes (the values of a
 * jet; its tangents take none). The transposed product is the same call with byRow and byColumn exchanged.
 */
export function linear(out: usize, outStride: usize, weight: usize, byRow: usize, byColumn: usize, input: usize, inputStride: usize, rows: i32, columns: i32, lanes: i32, bias: usize, biasLanes: i32, accumulate: bool): void {
  const total = lanes / LANES;
  for (let v = 0; v < total; v += TILE) {
    const vectors = min(TILE, total - v);
    const source = input + v * BYTES;
    const left = biasLanes - v * LANES;
    let target = out + v * BYTES;
    let w = weight;
    let b = bias;
    let r = rows;
    for (; r >= 6; r -= 6) {
      linearSix(target, outStride, w, byRow, byColumn, source, inputStride, columns, b, left, accumulate, vectors);
      target += 6 * outStride;
      w += 6 * byRow;
      b += 24;
    }
    for (; r >= 2; r -= 2) {
      linearPair(target, outStride, w, byRow, byColumn, source, inputStride, columns, b, left, accumulate, vectors);
      target += 2 * outStride;
      w += 2 * byRow;
      b += 8;
    }
    if (r == 1) linearSingle(target, outStride, w, byRow, byColumn, source, inputStride, columns, b, left, accumulate, vectors);
  }
}

/** out[i][j] += sum_l a[i][l] b[j][l]; a has `m` rows, b has `n`. */
export function outer(out: usize, byA: usize, byB: usize, a: usize, aStride: usize, m: i32, b: usize, bStride: usize, n: i32, lanes: i32): void {
  // Rows of b in groups that stay in the first-level cache while the rows of a go by.
  while (n > 0) {
    const width = min(n, 6);
    let target = out;
    let source = a;
    for (let i = 0; i < m; i += 2) {
      const rows = min(2, m - i);
      outerRows(rows, width, target, byA, byB, source, aStride, b, bStride, lanes);
      target += rows * byA;
      source += rows * aStride;
    }
    n -= width;
    out += width * byB;
    b += width * bStride;
  }
}

// Matrix products with the lanes innermost. Strides are in bytes; lanes are a multiple of 4.
import { LANES, BYTES } from "./simd";
import { linearPair, linearSingle, linearSix, outerRows, shallowRows, transposedPair, transposedSingle, transposedSix } from "./generated/tiles";

/** The stretch of lanes (in vectors) for which all columns of the input stay in the first-level cache while the rows go by. */
// @ts-ignore: decorator
@inline
function stretch(columns: i32): i32 {
  return max(6, 1024 / columns / 6 * 6);
}

/** What rows without a bias begin with. */
const zeros = memory.data<f32>([0, 0, 0, 0, 0, 0], 16);

/**
 * out[r][l] = sum_c weight[r][c] input[c][l], plus bias[r] in the first `biasLanes` lanes (the values of a jet;
 * its tangents take none). Where the bias's address is 0, the products are added to what out holds.
 */
export function linear(out: usize, outStride: usize, weight: usize, weightStride: usize, input: usize, inputStride: usize, rows: i32, columns: i32, lanes: i32, bias: usize, biasLanes: i32): void {
  if (bias == 0) {
    // Depths of one or two have tiles of their own, but not to add to anything.
    linearTiles(out, outStride, weight, weightStride, input, inputStride, rows, columns, lanes, zeros, 0, true);
    return;
  }
  linearLanes(out, outStride, weight, weightStride, input, inputStride, rows, columns, biasLanes, bias, 4);
  const values = <usize>biasLanes * 4;
  linearLanes(out + values, outStride, weight, weightStride, input + values, inputStride, rows, columns, lanes - biasLanes, zeros, 0);
}

/** The same with bias[r] in all lanes, the biases of successive rows `biasStride` bytes apart. */
function linearLanes(out: usize, outStride: usize, weight: usize, weightStride: usize, input: usize, inputStride: usize, rows: i32, columns: i32, lanes: i32, bias: usize, biasStride: usize): void {
  const total = lanes / LANES;
  if (columns <= 2) {
    let r = rows;
    while (r > 0) {
      const group = min(r, 2);
      shallowRows(group, columns, out, outStride, weight, weightStride, input, inputStride, bias, total);
      out += group * outStride;
      weight += group * weightStride;
      bias += group * biasStride;
      r -= group;
    }
    return;
  }
  linearTiles(out, outStride, weight, weightStride, input, inputStride, rows, columns, lanes, bias, biasStride, false);
}

/** The same with register tiles; with `accumulate`, out += and no bias. */
function linearTiles(out: usize, outStride: usize, weight: usize, weightStride: usize, input: usize, inputStride: usize, rows: i32, columns: i32, lanes: i32, bias: usize, biasStride: usize, accumulate: bool): void {
  const total = lanes / LANES;
  const width = stretch(columns);
  for (let v = 0; v < total; v += width) {
    const vectors = min(width, total - v);
    const source = input + v * BYTES;
    linearRows(out + v * BYTES, outStride, weight, weightStride, source, inputStride, rows, columns, bias, biasStride, accumulate, vectors);
  }
}

/** All rows of one stretch of `vectors` vectors. */
export function linearRows(out: usize, outStride: usize, weight: usize, weightStride: usize, input: usize, inputStride: usize, rows: i32, columns: i32, bias: usize, biasStride: usize, accumulate: bool, vectors: i32): void {
  let r = rows;
  for (; r >= 6; r -= 6) {
    linearSix(out, outStride, weight, weightStride, input, inputStride, columns, bias, accumulate, vectors);
    out += 6 * outStride;
    weight += 6 * weightStride;
    bias += 6 * biasStride;
  }
  for (; r >= 2; r -= 2) {
    for (let x = 0; x < vectors; x += 6) {
      linearPair(out + x * BYTES, outStride, weight, weightStride, input + x * BYTES, inputStride, columns, bias, accumulate, min(6, vectors - x));
    }
    out += 2 * outStride;
    weight += 2 * weightStride;
    bias += 2 * biasStride;
  }
  if (r == 1) for (let x = 0; x < vectors; x += 6) {
    linearSingle(out + x * BYTES, outStride, weight, weightStride, input + x * BYTES, inputStride, columns, bias, accumulate, min(6, vectors - x));
  }
}

/** out[r][l] (+)= sum_c weight[c][r] input[c][l] for `rows` rows of out. */
export function linearTransposed(out: usize, outStride: usize, weight: usize, weightStride: usize, input: usize, inputStride: usize, rows: i32, columns: i32, lanes: i32, accumulate: bool): void {
  const total = lanes / LANES;
  const width = stretch(columns);
  for (let v = 0; v < total; v += width) {
    const vectors = min(width, total - v);
    const source = input + v * BYTES;
    transposedRows(out + v * BYTES, outStride, weight, weightStride, source, inputStride, rows, columns, accumulate, vectors);
  }
}

/** All rows of one stretch of `vectors` vectors. */
export function transposedRows(out: usize, outStride: usize, weight: usize, weightStride: usize, input: usize, inputStride: usize, rows: i32, columns: i32, accumulate: bool, vectors: i32): void {
  let r = rows;
  for (; r >= 6; r -= 6) {
    transposedSix(out, outStride, weight, weightStride, input, inputStride, columns, zeros, accumulate, vectors);
    out += 6 * outStride;
    weight += 24;
  }
  for (; r >= 2; r -= 2) {
    for (let x = 0; x < vectors; x += 6) {
      transposedPair(out + x * BYTES, outStride, weight, weightStride, input + x * BYTES, inputStride, columns, zeros, accumulate, min(6, vectors - x));
    }
    out += 2 * outStride;
    weight += 8;
  }
  if (r == 1) for (let x = 0; x < vectors; x += 6) {
    transposedSingle(out + x * BYTES, outStride, weight, weightStride, input + x * BYTES, inputStride, columns, zeros, accumulate, min(6, vectors - x));
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
      outerRows(rows, width, target, byA, byB, source, aStride, b, bStride, lanes, 1, 0);
      target += rows * byA;
      source += rows * aStride;
    }
    n -= width;
    out += width * byB;
    b += width * bStride;
  }
}

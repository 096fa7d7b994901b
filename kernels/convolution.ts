// 3 x 3 convolutions with zero padding, as nine shifted matrix products on the layout [channel][y][x][sample]: no
// pixel is ever copied. A run of pixels of one image row whose neighbours all exist is one stretch of lanes, and a
// neighbour is the same stretch at another address. Grids where it saves products go by tiles instead (winograd.ts). Strides are in bytes; samples are a multiple of 4.
import { BYTES } from "./simd";
import { winograd, winogradOuter, winogradPays } from "./winograd";
import { outerRows } from "./generated/tiles";
import { linearRows, transposedRows } from "./linear";

/** What rows without a bias begin with. */
const zeros = memory.data<f32>([0, 0, 0, 0, 0, 0], 16);

/** The stretch of lanes (in vectors) for which the input of nine taps mostly stays in the first-level cache. */
// @ts-ignore: decorator
@inline
function stretch(columns: i32): i32 {
  return max(6, 512 / columns / 6 * 6);
}

/**
 * A run of pixels for which the taps fromY..toY x fromX..toX exist. `rowBytes` and `pixelBytes` lead from a pixel to
 * the one below and to the right of it.
 */
function run(transposed: bool, out: usize, outStride: usize, weight: usize, weightStride: usize, input: usize, inputStride: usize, rows: i32, columns: i32, bias: usize, biasStride: usize, accumulate: bool, vectors: i32, rowBytes: isize, pixelBytes: isize, fromY: i32, toY: i32, fromX: i32, toX: i32): void {
  const width = stretch(columns);
  // The weights of the next tap, and of the next output row.
  const tapBytes = <usize>(transposed ? rows : columns) * 4;
  const rowStep: usize = transposed ? 4 : weightStride;
  // The transposed convolution looks the other way.
  const direction: isize = transposed ? -1 : 1;
  for (let v = 0; v < vectors; v += width) {
    const part = min(width, vectors - v);
    let target = out + v * BYTES;
    const source = input + v * BYTES;
    let w = weight;
    let b = bias;
    for (let r = rows; r > 0; ) {
      const count = min(r, 6);
      let more = accumulate;
      for (let dy = fromY; dy <= toY; dy++) {
        for (let dx = fromX; dx <= toX; dx++) {
          const shift = direction * (<isize>(dy - 1) * rowBytes + <isize>(dx - 1) * pixelBytes);
          const tapWeight = w + <usize>(3 * dy + dx) * tapBytes;
          if (transposed) transposedRows(target, outStride, tapWeight, weightStride, source + shift, inputStride, count, columns, more, part);
          else linearRows(target, outStride, tapWeight, weightStride, source + shift, inputStride, count, columns, b, biasStride, more, part);
          more = true;
        }
      }
      target += count * outStride;
      w += count * rowStep;
      b += count * biasStride;
      r -= count;
    }
  }
}

/** One segment of a jet: `height` x `width` pixels of `samples` lanes. */
function image(transposed: bool, out: usize, outStride: usize, weight: usize, weightStride: usize, input: usize, inputStride: usize, rows: i32, columns: i32, bias: usize, biasStride: usize, accumulate: bool, height: i32, width: i32, samples: i32): void {
  const pixelBytes = <isize>samples * 4;
  const rowBytes = pixelBytes * width;
  for (let y = 0; y < height; y++) {
    const above = y > 0;
    const below = y < height - 1;
    const fromY = (transposed ? below : above) ? 0 : 1;
    const toY = (transposed ? above : below) ? 2 : 1;
    // The first pixel, those between, and the last one.
    for (let x = 0; x < width; ) {
      const next = x == 0 ? 1 : x < width - 1 ? width - 1 : width;
      const left = x > 0;
      const right = next < width;
      const fromX = (transposed ? right : left) ? 0 : 1;
      const toX = (transposed ? left : right) ? 2 : 1;
      const place = <usize>(y * rowBytes + x * pixelBytes);
      run(transposed, out + place, outStride, weight, weightStride, input + place, inputStride, rows, columns, bias, biasStride, accumulate, (next - x) * samples / 4, rowBytes, pixelBytes, fromY, toY, fromX, toX);
      x = next;
    }
  }
}

/**
 * out[r][y][x][l] = sum over taps and c of weight[r][tap][c] input[c][y + dy - 1][x + dx - 1][l], tap = 3 dy + dx,
 * plus bias[r] in the first of the `segments`.
 */
export function convolution(out: usize, outStride: usize, weight: usize, weightStride: usize, input: usize, inputStride: usize, rows: i32, columns: i32, bias: usize, height: i32, width: i32, samples: i32, segments: i32, scratch: usize): void {
  if (winogradPays(height, width)) {
    winograd(false, out, outStride, weight, weightStride, input, inputStride, rows, columns, bias, zeros, false, height, width, samples, segments, scratch);
    return;
  }
  const segment = <usize>(height * width * samples) * 4;
  for (let s = 0; s < segments; s++) {
    image(false, out, outStride, weight, weightStride, input, inputStride, rows, columns, s == 0 ? bias : zeros, s == 0 ? 4 : 0, false, height, width, samples);
    out += segment;
    input += segment;
  }
}

/** The transpose: out[c] (+)= sum over taps and r of weight[r][tap][c] input[r], shifted the other way; `rows` of out. */
export function convolutionTransposed(out: usize, outStride: usize, weight: usize, weightStride: usize, input: usize, inputStride: usize, rows: i32, columns: i32, accumulate: bool, height: i32, width: i32, samples: i32, segments: i32, scratch: usize): void {
  if (winogradPays(height, width)) {
    winograd(true, out, outStride, weight, weightStride, input, inputStride, columns, rows, 0, zeros, accumulate, height, width, samples, segments, scratch);
    return;
  }
  const segment = <usize>(height * width * samples) * 4;
  for (let s = 0; s < segments; s++) {
    image(true, out, outStride, weight, weightStride, input, inputStride, rows, columns, zeros, 0, accumulate, height, width, samples);
    out += segment;
    input += segment;
  }
}

/** Lanes that one call of an outer tile takes: its operands then stay in the first-level cache. */
const CHUNK: i32 = 768;

/** out[i][tap][j] += sum over lanes of a[i] b[j], b shifted by the tap; a has `m` rows, b has `n`. */
export function convolutionOuter(out: usize, outStride: usize, a: usize, aStride: usize, m: i32, b: usize, bStride: usize, n: i32, height: i32, width: i32, samples: i32, segments: i32, scratch: usize): void {
  if (winogradPays(height, width)) {
    winogradOuter(out, outStride, a, aStride, m, b, bStride, n, height, width, samples, segments, scratch);
    return;
  }
  const pixelBytes = <isize>samples * 4;
  const rowBytes = pixelBytes * width;
  for (let s = 0; s < segments; s++) {
    for (let dy = 0; dy < 3; dy++) {
      const fromY = dy == 0 ? 1 : 0;
      const toY = dy == 2 ? height - 1 : height;
      for (let dx = 0; dx < 3; dx++) {
        const fromX = dx == 0 ? 1 : 0;
        const toX = dx == 2 ? width - 1 : width;
        const lanes = (toX - fromX) * samples;
        if (lanes <= 0) continue;
        const skip = <usize>(width - (toX - fromX)) * pixelBytes;
        const group = max(1, CHUNK / lanes);
        for (let y = fromY; y < toY; y += group) {
          const here = y * rowBytes + fromX * pixelBytes;
          const there = here + (dy - 1) * rowBytes + (dx - 1) * pixelBytes;
          outerChunk(out + <usize>((3 * dy + dx) * n) * 4, outStride, a + here, aStride, m, b + there, bStride, n, lanes, min(group, toY - y), skip);
        }
      }
    }
    a += height * rowBytes;
    b += height * rowBytes;
  }
}

/** `stretches` stretches of `lanes` lanes, with `skip` bytes between them. */
function outerChunk(out: usize, outStride: usize, a: usize, aStride: usize, m: i32, b: usize, bStride: usize, n: i32, lanes: i32, stretches: i32, skip: usize): void {
  while (n > 0) {
    const width = min(n, 6);
    let target = out;
    let source = a;
    for (let i = 0; i < m; i += 2) {
      const rows = min(2, m - i);
      outerRows(rows, width, target, outStride, 4, source, aStride, b, bStride, lanes, stretches, skip);
      target += rows * outStride;
      source += rows * aStride;
    }
    n -= width;
    out += width * 4;
    b += width * bStride;
  }
}

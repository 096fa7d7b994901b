// 3 x 3 convolutions by 2 x 2 tiles of the result, F(2 x 2, 3 x 3) of Lavin and Gray, "Fast Algorithms for
// Convolutional Neural Networks" (2016), after Winograd: with the 4 x 4 patch d of an input channel around a tile and
// the taps g of a weight, the tile is
//   A^T [sum over channels of (G g G^T) * (B^T d B)] A,   * by elements,
// 16 products for 4 results in place of 36. Each of the 16 is a matrix product of its own, with the lanes innermost as
// everywhere: places of a tile in the scratch memory are [position][channel][tile][sample].
//   B^T = |1  0 -1  0|   G = | 1    0    0 |   A^T = |1  1  1  0|
//         |0  1  1  0|       |1/2  1/2  1/2|         |0  1 -1 -1|
//         |0 -1  1  0|       |1/2 -1/2  1/2|
//         |0  1  0 -1|       | 0    0    1 |
import { add, BYTES, LANES, splat } from "./simd";
import { linearRows, outer, transposedRows } from "./linear";

const POSITIONS: i32 = 16;
/** Bytes between the positions that keep them from falling on the same places of a cache. */
const GAP: usize = 192;

/** What the scratch memory holds: transformed weights, patches of the input and of the result. */
let weightsAt: usize = 0;
let inputAt: usize = 0;
let outputAt: usize = 0;
/** Bytes from a row of the patches to the next, and from a position to the next. */
let rowStep: usize = 0;
let inputStep: usize = 0;
let outputStep: usize = 0;
let weightStep: usize = 0;
/** Tiles in a row, and vectors of samples in a tile. */
let across: i32 = 0;
let depth: i32 = 0;
/** Bytes from a pixel to the next, and to the one below. */
let pixelBytes: usize = 0;
let rowBytes: usize = 0;
/** The vectors of one tile that `locate` found: how many, the first pixel's row and column, and the first's address. */
let vectors: i32 = 0;
let tileY: i32 = 0;
let tileX: i32 = 0;
let tileAt: usize = 0;

/** The tile of vector `v` of an image's tiles, and those of the next `most` vectors that are its own. */
function locate(image: usize, v: i32, most: i32): void {
  const tile = v / depth;
  const start = v % depth;
  vectors = min(depth - start, most);
  tileY = 2 * (tile / across);
  tileX = 2 * (tile % across);
  tileAt = image + tileY * rowBytes + tileX * pixelBytes + start * BYTES;
}

/** Vectors of tiles that are transformed at once: `channels` channels of them stay in the second-level cache. */
// @ts-ignore: decorator
@inline
function chunk(channels: i32, most: i32): i32 {
  return min(96, max(12, most / channels / 6 * 6));
}

const LINEAR_CHUNK: i32 = 768;
const OUTER_CHUNK: i32 = 6144;
/** Channels of the result whose products stay in the first-level cache until they are transformed. */
const GROUP: i32 = 6;

/** Bytes of scratch memory that a convolution from `columns` to `rows` channels, or back, needs. */
export function winogradScratch(rows: i32, columns: i32): i32 {
  const patches = max((rows + columns) * chunk(rows + columns, OUTER_CHUNK), (GROUP + max(rows, columns)) * 96);
  return POSITIONS * (4 * rows * columns + patches * BYTES) + 64 * <i32>GAP;
}

/** Whether the tiles have less to multiply than the taps that exist, and by enough to pay for the transforms. */
export function winogradPays(height: i32, width: i32): bool {
  const tiles = POSITIONS * ((height + 1) / 2) * ((width + 1) / 2);
  return 4 * tiles < 3 * (3 * height - 2) * (3 * width - 2);
}

function layOut(scratch: usize, weights: i32, outputs: i32, inputs: i32, most: i32, width: i32, samples: i32): void {
  weightStep = <usize>weights * 4;
  rowStep = <usize>most * BYTES;
  inputStep = <usize>inputs * rowStep + GAP;
  outputStep = <usize>outputs * rowStep + GAP;
  weightsAt = scratch;
  inputAt = (weightsAt + POSITIONS * weightStep + 63) & ~63;
  outputAt = inputAt + POSITIONS * inputStep;
  across = (width + 1) / 2;
  depth = samples / LANES;
  pixelBytes = <usize>samples * 4;
  rowBytes = pixelBytes * width;
}

/** G g G^T of four columns. */
// @ts-ignore: decorator
@inline
function transformTaps(to: usize, g0: v128, g1: v128, g2: v128, g3: v128, g4: v128, g5: v128, g6: v128, g7: v128, g8: v128, four: bool): void {
  const half = splat(0.5);
  const e0 = f32x4.mul(half, f32x4.add(g0, g6));
  const e1 = f32x4.mul(half, f32x4.add(g1, g7));
  const e2 = f32x4.mul(half, f32x4.add(g2, g8));
  const o0 = f32x4.mul(half, g3);
  const o1 = f32x4.mul(half, g4);
  const o2 = f32x4.mul(half, g5);
  transformRow(to, g0, g1, g2, four);
  transformRow(to + 4 * weightStep, f32x4.add(e0, o0), f32x4.add(e1, o1), f32x4.add(e2, o2), four);
  transformRow(to + 8 * weightStep, f32x4.sub(e0, o0), f32x4.sub(e1, o1), f32x4.sub(e2, o2), four);
  transformRow(to + 12 * weightStep, g6, g7, g8, four);
}

// @ts-ignore: decorator
@inline
function transformRow(to: usize, a: v128, b: v128, c: v128, four: bool): void {
  const even = f32x4.mul(splat(0.5), f32x4.add(a, c));
  const odd = f32x4.mul(splat(0.5), b);
  keep(to, a, four);
  keep(to + weightStep, f32x4.add(even, odd), four);
  keep(to + 2 * weightStep, f32x4.sub(even, odd), four);
  keep(to + 3 * weightStep, c, four);
}

// @ts-ignore: decorator
@inline
function keep(to: usize, x: v128, four: bool): void {
  if (four) v128.store(to, x);
  else v128.store32_lane(to, x, 0);
}

/** The weights [row][tap][column] as [position][row][column]. */
function transformWeights(weight: usize, weightStride: usize, rows: i32, columns: i32): void {
  const tap = <usize>columns * 4;
  for (let r = 0; r < rows; r++) {
    let g = weight + <usize>r * weightStride;
    let to = weightsAt + <usize>r * tap;
    let c = columns;
    for (; c >= 4; c -= 4) {
      transformTaps(to, v128.load(g), v128.load(g + tap), v128.load(g + 2 * tap), v128.load(g + 3 * tap), v128.load(g + 4 * tap), v128.load(g + 5 * tap), v128.load(g + 6 * tap), v128.load(g + 7 * tap), v128.load(g + 8 * tap), true);
      g += BYTES;
      to += BYTES;
    }
    for (; c > 0; c--) {
      transformTaps(to, v128.load32_zero(g), v128.load32_zero(g + tap), v128.load32_zero(g + 2 * tap), v128.load32_zero(g + 3 * tap), v128.load32_zero(g + 4 * tap), v128.load32_zero(g + 5 * tap), v128.load32_zero(g + 6 * tap), v128.load32_zero(g + 7 * tap), v128.load32_zero(g + 8 * tap), false);
      g += 4;
      to += 4;
    }
  }
}

// @ts-ignore: decorator
@inline
function pixel(there: bool, address: usize): v128 {
  return there ? v128.load(address) : splat(0);
}

/** B^T d B of `vectors` vectors of one tile, for every channel; a neighbour that is not there is 0. */
// @ts-ignore: decorator
@inline
function patches(to: usize, from: usize, stride: usize, channels: i32, above: bool, below: bool, below2: bool, left: bool, right: bool, right2: bool): void {
  // Globals are loaded again after every store.
  const count = vectors;
  const step = inputStep;
  const row = rowBytes;
  const next = pixelBytes;
  for (let c = 0; c < channels; c++) {
    let p1 = from;
    let t = to;
    for (let v = 0; v < count; v++) {
      const p0 = p1 - row;
      const p2 = p1 + row;
      const p3 = p2 + row;
      const d00 = pixel(above && left, p0 - next);
      const d20 = pixel(below && left, p2 - next);
      const d10 = pixel(left, p1 - next);
      const d30 = pixel(below2 && left, p3 - next);
      const t00 = f32x4.sub(d00, d20);
      const t10 = f32x4.add(d10, d20);
      const t20 = f32x4.sub(d20, d10);
      const t30 = f32x4.sub(d10, d30);
      const d02 = pixel(above && right, p0 + next);
      const d22 = pixel(below && right, p2 + next);
      const d12 = pixel(right, p1 + next);
      const d32 = pixel(below2 && right, p3 + next);
      const t02 = f32x4.sub(d02, d22);
      const t12 = f32x4.add(d12, d22);
      const t22 = f32x4.sub(d22, d12);
      const t32 = f32x4.sub(d12, d32);
      v128.store(t, f32x4.sub(t00, t02));
      v128.store(t + 4 * step, f32x4.sub(t10, t12));
      v128.store(t + 8 * step, f32x4.sub(t20, t22));
      v128.store(t + 12 * step, f32x4.sub(t30, t32));
      const d01 = pixel(above, p0);
      const d21 = pixel(below, p2);
      const d11 = v128.load(p1);
      const d31 = pixel(below2, p3);
      const t01 = f32x4.sub(d01, d21);
      const t11 = f32x4.add(d11, d21);
      const t21 = f32x4.sub(d21, d11);
      const t31 = f32x4.sub(d11, d31);
      const t1 = t + step;
      v128.store(t1, f32x4.add(t01, t02));
      v128.store(t1 + 4 * step, f32x4.add(t11, t12));
      v128.store(t1 + 8 * step, f32x4.add(t21, t22));
      v128.store(t1 + 12 * step, f32x4.add(t31, t32));
      const t2 = t1 + step;
      v128.store(t2, f32x4.sub(t02, t01));
      v128.store(t2 + 4 * step, f32x4.sub(t12, t11));
      v128.store(t2 + 8 * step, f32x4.sub(t22, t21));
      v128.store(t2 + 12 * step, f32x4.sub(t32, t31));
      const d03 = pixel(above && right2, p0 + 2 * next);
      const d23 = pixel(below && right2, p2 + 2 * next);
      const d13 = pixel(right2, p1 + 2 * next);
      const d33 = pixel(below2 && right2, p3 + 2 * next);
      const t3 = t2 + step;
      v128.store(t3, f32x4.sub(t01, f32x4.sub(d03, d23)));
      v128.store(t3 + 4 * step, f32x4.sub(t11, f32x4.add(d13, d23)));
      v128.store(t3 + 8 * step, f32x4.sub(t21, f32x4.sub(d23, d13)));
      v128.store(t3 + 12 * step, f32x4.sub(t31, f32x4.sub(d13, d33)));
      p1 += BYTES;
      t += BYTES;
    }
    from += stride;
    to += rowStep;
  }
}

function innerPatches(to: usize, from: usize, stride: usize, channels: i32): void {
  patches(to, from, stride, channels, true, true, true, true, true, true);
}

function borderPatches(to: usize, from: usize, stride: usize, channels: i32, above: bool, below: bool, below2: bool, left: bool, right: bool, right2: bool): void {
  patches(to, from, stride, channels, above, below, below2, left, right, right2);
}

/** B^T d B of vectors first .. first + part of an image's tiles. */
function transformInput(input: usize, stride: usize, channels: i32, height: i32, width: i32, first: i32, part: i32): void {
  for (let x = 0; x < part; ) {
    locate(input, first + x, part - x);
    const to = inputAt + x * BYTES;
    if (tileY > 0 && tileY + 2 < height && tileX > 0 && tileX + 2 < width) {
      innerPatches(to, tileAt, stride, channels);
    } else {
      borderPatches(to, tileAt, stride, channels, tileY > 0, tileY + 1 < height, tileY + 2 < height, tileX > 0, tileX + 1 < width, tileX + 2 < width);
    }
    x += vectors;
  }
}

/** A^T m A of vectors first .. first + part of an image's tiles, plus the bias or what was there. */
function transformOutput(out: usize, outStride: usize, rows: i32, bias: usize, biasStride: usize, accumulate: bool, height: i32, width: i32, first: i32, part: i32): void {
  for (let x = 0; x < part; ) {
    locate(out, first + x, part - x);
    const right = tileX + 1 < width;
    const below = tileY + 1 < height;
    let to = tileAt;
    let from = outputAt + x * BYTES;
    let b = bias;
    for (let r = 0; r < rows; r++) {
      const start = v128.load32_splat(b);
      for (let v = 0; v < vectors; v++) {
        const o00 = to + v * BYTES;
        const o01 = o00 + pixelBytes;
        const o10 = o00 + rowBytes;
        const o11 = o10 + pixelBytes;
        const m = from + v * BYTES;
        const s00 = upper(m, 0);
        const s10 = lower(m, 0);
        const s01 = upper(m, 1);
        const s11 = lower(m, 1);
        const s02 = upper(m, 2);
        const s12 = lower(m, 2);
        const s03 = upper(m, 3);
        const s13 = lower(m, 3);
        v128.store(o00, f32x4.add(accumulate ? v128.load(o00) : start, f32x4.add(s00, f32x4.add(s01, s02))));
        if (right) v128.store(o01, f32x4.add(accumulate ? v128.load(o01) : start, f32x4.sub(f32x4.sub(s01, s02), s03)));
        if (below) {
          v128.store(o10, f32x4.add(accumulate ? v128.load(o10) : start, f32x4.add(s10, f32x4.add(s11, s12))));
          if (right) v128.store(o11, f32x4.add(accumulate ? v128.load(o11) : start, f32x4.sub(f32x4.sub(s11, s12), s13)));
        }
      }
      to += outStride;
      from += rowStep;
      b += biasStride;
    }
    x += vectors;
  }
}

/** The two rows of A^T m in column j. */
// @ts-ignore: decorator
@inline
function upper(m: usize, j: i32): v128 {
  const at = m + <usize>j * outputStep;
  return f32x4.add(v128.load(at), f32x4.add(v128.load(at + 4 * outputStep), v128.load(at + 8 * outputStep)));
}

// @ts-ignore: decorator
@inline
function lower(m: usize, j: i32): v128 {
  const at = m + <usize>j * outputStep;
  return f32x4.sub(f32x4.sub(v128.load(at + 4 * outputStep), v128.load(at + 8 * outputStep)), v128.load(at + 12 * outputStep));
}

/** The transposed convolution's weights are the flipped ones, whose transform has its first and last position changed. */
// @ts-ignore: decorator
@inline
function flipped(i: i32): i32 {
  return i == 0 ? 3 : i == 3 ? 0 : i;
}

/**
 * Every segment of a convolution from `columns` to `rows` channels, or with `transposed` the other way: `input` then
 * has `rows` channels and `out` has `columns`. The bias (biasStride 4) is that of the first segment.
 */
export function winograd(transposed: bool, out: usize, outStride: usize, weight: usize, weightStride: usize, input: usize, inputStride: usize, rows: i32, columns: i32, bias: usize, zeros: usize, accumulate: bool, height: i32, width: i32, samples: i32, segments: i32, scratch: usize): void {
  const outputs = transposed ? columns : rows;
  const inputs = transposed ? rows : columns;
  const most = chunk(inputs, LINEAR_CHUNK);
  layOut(scratch, rows * columns, GROUP, inputs, most, width, samples);
  transformWeights(weight, weightStride, rows, columns);
  const total = across * ((height + 1) / 2) * depth;
  const segment = <usize>(height * width * samples) * 4;
  for (let s = 0; s < segments; s++) {
    const biased = s == 0 && bias != 0;
    for (let first = 0; first < total; first += most) {
      const part = min(most, total - first);
      transformInput(input, inputStride, inputs, height, width, first, part);
      for (let r = 0; r < outputs; r += GROUP) {
        const group = min(GROUP, outputs - r);
        const place = <usize>r * (transposed ? 4 : 4 * columns);
        for (let i = 0; i < 4; i++) {
          for (let j = 0; j < 4; j++) {
            const p: usize = 4 * i + j;
            const q: usize = transposed ? 4 * flipped(i) + flipped(j) : p;
            const w = weightsAt + q * weightStep + place;
            const m = outputAt + p * outputStep;
            const d = inputAt + p * inputStep;
            if (transposed) transposedRows(m, rowStep, w, 4 * columns, d, rowStep, group, inputs, false, part);
            else linearRows(m, rowStep, w, 4 * columns, d, rowStep, group, inputs, zeros, 0, false, part);
          }
        }
        transformOutput(out + r * outStride, outStride, group, biased ? bias + 4 * r : zeros, biased ? 4 : 0, accumulate, height, width, first, part);
      }
    }
    out += segment;
    input += segment;
  }
}

/** A y A^T, the transpose of the result's transform: what the 16 positions get from the gradient y of a tile. */
function transformGradient(a: usize, aStride: usize, rows: i32, height: i32, width: i32, first: i32, part: i32): void {
  for (let x = 0; x < part; ) {
    locate(a, first + x, part - x);
    const right = tileX + 1 < width;
    const below = tileY + 1 < height;
    let from = tileAt;
    let to = outputAt + x * BYTES;
    for (let r = 0; r < rows; r++) {
      for (let v = 0; v < vectors; v++) {
        const y = from + v * BYTES;
        const y00 = v128.load(y);
        const y01 = pixel(right, y + pixelBytes);
        const y10 = pixel(below, y + rowBytes);
        const y11 = pixel(right && below, y + rowBytes + pixelBytes);
        const t = to + v * BYTES;
        gradientRow(t, y00, y01);
        gradientRow(t + 4 * outputStep, f32x4.add(y00, y10), f32x4.add(y01, y11));
        gradientRow(t + 8 * outputStep, f32x4.sub(y00, y10), f32x4.sub(y01, y11));
        gradientRow(t + 12 * outputStep, f32x4.neg(y10), f32x4.neg(y11));
      }
      from += aStride;
      to += rowStep;
    }
    x += vectors;
  }
}

// @ts-ignore: decorator
@inline
function gradientRow(to: usize, a: v128, b: v128): void {
  v128.store(to, a);
  v128.store(to + outputStep, f32x4.add(a, b));
  v128.store(to + 2 * outputStep, f32x4.sub(a, b));
  v128.store(to + 3 * outputStep, f32x4.neg(b));
}

/** Adds G^T u G, the transpose of the weights' transform, to out[row][tap][column]. */
function addTaps(out: usize, outStride: usize, rows: i32, columns: i32): void {
  const tap = <usize>columns * 4;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const u = weightsAt + <usize>(r * columns + c) * 4;
      const w = out + <usize>r * outStride + <usize>c * 4;
      for (let dy = 0; dy < 3; dy++) {
        const g0 = tapRow(u, dy);
        const g1 = tapRow(u + weightStep, dy);
        const g2 = tapRow(u + 2 * weightStep, dy);
        const g3 = tapRow(u + 3 * weightStep, dy);
        const at = w + <usize>(3 * dy) * tap;
        add(at, g0 + 0.5 * (g1 + g2));
        add(at + tap, 0.5 * (g1 - g2));
        add(at + 2 * tap, 0.5 * (g1 + g2) + g3);
      }
    }
  }
}

/** Row dy of G^T u in one column. */
// @ts-ignore: decorator
@inline
function tapRow(u: usize, dy: i32): f32 {
  const u1 = load<f32>(u + 4 * weightStep);
  const u2 = load<f32>(u + 8 * weightStep);
  if (dy == 0) return load<f32>(u) + 0.5 * (u1 + u2);
  if (dy == 1) return 0.5 * (u1 - u2);
  return 0.5 * (u1 + u2) + load<f32>(u + 12 * weightStep);
}

/** out[i][tap][j] += sum over lanes of a[i] b[j], b shifted by the tap; a has `rows` channels, b has `columns`. */
export function winogradOuter(out: usize, outStride: usize, a: usize, aStride: usize, rows: i32, b: usize, bStride: usize, columns: i32, height: i32, width: i32, samples: i32, segments: i32, scratch: usize): void {
  const most = chunk(rows + columns, OUTER_CHUNK);
  layOut(scratch, rows * columns, rows, columns, most, width, samples);
  memory.fill(weightsAt, 0, POSITIONS * weightStep);
  const total = across * ((height + 1) / 2) * depth;
  const segment = <usize>(height * width * samples) * 4;
  for (let s = 0; s < segments; s++) {
    for (let first = 0; first < total; first += most) {
      const part = min(most, total - first);
      transformInput(b, bStride, columns, height, width, first, part);
      transformGradient(a, aStride, rows, height, width, first, part);
      for (let p: usize = 0; p < <usize>POSITIONS; p++) {
        const u = weightsAt + p * weightStep;
        const y = outputAt + p * outputStep;
        const d = inputAt + p * inputStep;
        if (columns >= rows) outer(u, 4 * columns, 4, y, rowStep, rows, d, rowStep, columns, LANES * part);
        else outer(u, 4, 4 * columns, d, rowStep, columns, y, rowStep, rows, LANES * part);
      }
    }
    a += segment;
    b += segment;
  }
  addTaps(out, outStride, rows, columns);
}

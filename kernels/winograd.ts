// 3 x 3 convolutions by 4 x 4 tiles of the result, F(4 x 4, 3 x 3) of Lavin and Gray, "Fast Algorithms for
// Convolutional Neural Networks" (2016), after Winograd: with the 6 x 6 patch d of an input channel around a tile and
// the taps g of a weight, the tile is
//   A^T [sum over channels of (G g G^T) * (B^T d B)] A,   * by elements,
// 36 products for 16 results in place of 144. Each of the 36 is a matrix product of its own, with the lanes innermost
// as everywhere: places of a tile in the scratch memory are [position][channel][tile][sample].
import { BYTES, LANES, splat } from "./simd";
import { linearRows, outer, transposedRows } from "./linear";
import { addTaps, load, NOTHING, START, transformGradient, transformPatch, transformProducts, transformTaps, WHAT_IS_THERE } from "./tile-transforms";

/** Pixels of a tile's side, and of a patch's. */
const TILE: i32 = 4;
const SIDE: i32 = 6;
const POSITIONS: i32 = SIDE * SIDE;
/** Bytes between the positions that keep them from falling on the same places of a cache. */
const GAP: usize = 192;

/** A patch that is transformed along its columns, its rows still to come. */
const half = memory.data(POSITIONS * BYTES, 16);
/** Bytes from one of its rows to the next. */
const HALF_ROW: usize = SIDE * BYTES;

/** What the scratch memory holds: transformed weights, patches of the input and of the result. */
let weightsAt: usize = 0;
let inputAt: usize = 0;
let outputAt: usize = 0;
/** Bytes from a row of the patches to the next, and from a position to the next. */
let rowStep: usize = 0;
let inputStep: usize = 0;
let outputStep: usize = 0;
let weightStep: usize = 0;
/** Vectors of tiles that the scratch memory takes. */
let most: i32 = 0;
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

/** The tile of vector `v` of an image's tiles, and those of the next `rest` vectors that are its own. */
function locate(image: usize, v: i32, rest: i32): void {
  const tile = v / depth;
  const start = v % depth;
  vectors = min(depth - start, rest);
  tileY = TILE * (tile / across);
  tileX = TILE * (tile % across);
  tileAt = image + tileY * rowBytes + tileX * pixelBytes + start * BYTES;
}

/** Vectors of tiles that are transformed at once: `channels` channels of them stay in the second-level cache. */
// @ts-ignore: decorator
@inline
function chunk(channels: i32, all: i32, limit: i32): i32 {
  return min(limit, max(12, all / channels / 6 * 6));
}

const LINEAR_CHUNK: i32 = 768;
const LINEAR_LIMIT: i32 = 24;
const OUTER_CHUNK: i32 = 3072;
const OUTER_LIMIT: i32 = 96;
/** Channels of the result whose products stay in the first-level cache until they are transformed. */
const GROUP: i32 = 6;

/** Bytes of scratch memory that a convolution from `columns` to `rows` channels, or back, needs. */
export function winogradScratch(rows: i32, columns: i32): usize {
  const weights = rows * columns;
  return max(max(layOutProducts(0, weights, rows), layOutProducts(0, weights, columns)), layOutGradients(0, rows, columns));
}

function tiles(side: i32): i32 {
  return (side + TILE - 1) / TILE;
}

/** Whether the tiles take less than three quarters of the products of the taps that exist: enough to pay for the transforms. */
export function winogradPays(height: i32, width: i32): bool {
  return 4 * POSITIONS * tiles(height) * tiles(width) < 3 * (3 * height - 2) * (3 * width - 2);
}

/** Lays out scratch memory from that address on, a multiple of 64; returns where it ends. */
function layOut(scratch: usize, weights: i32, outputs: i32, inputs: i32, vectors: i32): usize {
  most = vectors;
  weightStep = <usize>weights * 4;
  rowStep = <usize>most * BYTES;
  inputStep = <usize>inputs * rowStep + GAP;
  outputStep = <usize>outputs * rowStep + GAP;
  weightsAt = scratch;
  outputAt = (weightsAt + POSITIONS * weightStep + 63) & ~63;
  inputAt = outputAt + POSITIONS * outputStep;
  return inputAt + POSITIONS * inputStep;
}

/** For a convolution of `inputs` channels. */
function layOutProducts(scratch: usize, weights: i32, inputs: i32): usize {
  return layOut(scratch, weights, GROUP, inputs, chunk(inputs, LINEAR_CHUNK, LINEAR_LIMIT));
}

/** For the gradient of its weights. */
function layOutGradients(scratch: usize, rows: i32, columns: i32): usize {
  return layOut(scratch, rows * columns, rows, columns, chunk(rows + columns, OUTER_CHUNK, OUTER_LIMIT));
}

/** How the lanes of an image are cut into tiles. */
function cut(width: i32, samples: i32): void {
  across = tiles(width);
  depth = samples / LANES;
  pixelBytes = <usize>samples * 4;
  rowBytes = pixelBytes * width;
}

/** G g G^T of four columns or one; the taps are `tap` bytes apart, from last to first if that is negative. */
// @ts-ignore: decorator
@inline
function tapsOf(to: usize, step: usize, g: usize, tap: isize, four: bool): void {
  for (let dx: isize = 0; dx < 3; dx++) {
    const column = g + dx * tap;
    transformTaps(half + dx * BYTES, HALF_ROW, load(column, four), load(column + 3 * tap, four), load(column + 6 * tap, four), true);
  }
  for (let i: usize = 0; i < <usize>SIDE; i++) {
    const row = half + i * HALF_ROW;
    transformTaps(to + i * SIDE * step, step, v128.load(row), v128.load(row, BYTES), v128.load(row, 2 * BYTES), four);
  }
}

/** The weights [row][tap][column] as [position][row][column]; the transposed convolution's taps are the flipped ones. */
function transformWeights(weight: usize, weightStride: usize, rows: i32, columns: i32, flipped: bool): void {
  const bytes = <isize>columns * 4;
  const tap = flipped ? -bytes : bytes;
  const step = weightStep;
  for (let r = 0; r < rows; r++) {
    let g = weight + <usize>r * weightStride + (flipped ? 8 * bytes : 0);
    let to = weightsAt + <usize>r * bytes;
    let c = columns;
    for (; c >= 4; c -= 4) {
      tapsOf(to, step, g, tap, true);
      g += BYTES;
      to += BYTES;
    }
    for (; c > 0; c--) {
      tapsOf(to, step, g, tap, false);
      g += 4;
      to += 4;
    }
  }
}

/** Adds G^T u G, the transpose of the weights' transform, to out[row][tap][column]. */
function addWeights(out: usize, outStride: usize, rows: i32, columns: i32): void {
  const tap = <usize>columns * 4;
  for (let r = 0; r < rows; r++) {
    let to = out + <usize>r * outStride;
    let u = weightsAt + <usize>r * tap;
    let c = columns;
    for (; c >= 4; c -= 4) {
      addTapsOf(to, tap, u, true);
      u += BYTES;
      to += BYTES;
    }
    for (; c > 0; c--) {
      addTapsOf(to, tap, u, false);
      u += 4;
      to += 4;
    }
  }
}

// @ts-ignore: decorator
@inline
function addTapsOf(to: usize, tap: usize, u: usize, four: bool): void {
  const step = weightStep;
  memory.fill(half, 0, POSITIONS * BYTES);
  for (let j: usize = 0; j < <usize>SIDE; j++) {
    const at = u + j * step;
    const row = SIDE * step;
    addTaps(half + j * BYTES, HALF_ROW, load(at, four), load(at + row, four), load(at + 2 * row, four), load(at + 3 * row, four), load(at + 4 * row, four), load(at + 5 * row, four), true);
  }
  for (let dy: usize = 0; dy < 3; dy++) {
    const row = half + dy * HALF_ROW;
    addTaps(to + 3 * dy * tap, tap, v128.load(row), v128.load(row, BYTES), v128.load(row, 2 * BYTES), v128.load(row, 3 * BYTES), v128.load(row, 4 * BYTES), v128.load(row, 5 * BYTES), four);
  }
}

// @ts-ignore: decorator
@inline
function pixel(there: bool, address: usize): v128 {
  return there ? v128.load(address) : splat(0);
}

/** B^T of column `at` of a patch, of which `below` rows from the tile's first on are there. */
// @ts-ignore: decorator
@inline
function patchColumn(to: usize, at: usize, row: usize, there: bool, above: bool, below: i32): void {
  transformPatch(to, HALF_ROW, pixel(there && above, at - row), pixel(there, at), pixel(there && below > 1, at + row), pixel(there && below > 2, at + 2 * row), pixel(there && below > 3, at + 3 * row), pixel(there && below > 4, at + 4 * row));
}

/** B^T d B of `vectors` vectors of one tile, for every channel; a neighbour that is not there is 0. */
// @ts-ignore: decorator
@inline
function patches(to: usize, from: usize, stride: usize, channels: i32, above: bool, below: i32, left: bool, right: i32): void {
  // Globals are loaded again after every store.
  const count = vectors;
  const step = inputStep;
  const row = rowBytes;
  const next = pixelBytes;
  const toRow = rowStep;
  for (let c = 0; c < channels; c++) {
    let p = from;
    let t = to;
    for (let v = 0; v < count; v++) {
      patchColumn(half, p - next, row, left, above, below);
      patchColumn(half + BYTES, p, row, true, above, below);
      patchColumn(half + 2 * BYTES, p + next, row, right > 1, above, below);
      patchColumn(half + 3 * BYTES, p + 2 * next, row, right > 2, above, below);
      patchColumn(half + 4 * BYTES, p + 3 * next, row, right > 3, above, below);
      patchColumn(half + 5 * BYTES, p + 4 * next, row, right > 4, above, below);
      for (let i: usize = 0; i < <usize>SIDE; i++) {
        const h = half + i * HALF_ROW;
        transformPatch(t + i * SIDE * step, step, v128.load(h), v128.load(h, BYTES), v128.load(h, 2 * BYTES), v128.load(h, 3 * BYTES), v128.load(h, 4 * BYTES), v128.load(h, 5 * BYTES));
      }
      p += BYTES;
      t += BYTES;
    }
    from += stride;
    to += toRow;
  }
}

/** B^T d B of vectors first .. first + part of an image's tiles. */
function transformInput(input: usize, stride: usize, channels: i32, height: i32, width: i32, first: i32, part: i32): void {
  for (let x = 0; x < part; ) {
    locate(input, first + x, part - x);
    const to = inputAt + x * BYTES;
    const below = height - tileY;
    const right = width - tileX;
    if (tileY > 0 && below > TILE && tileX > 0 && right > TILE) patches(to, tileAt, stride, channels, true, SIDE, true, SIDE);
    else patches(to, tileAt, stride, channels, tileY > 0, below, tileX > 0, right);
    x += vectors;
  }
}

/** A^T m A of `vectors` vectors of one tile, for every channel; what lies on the grid is added to the bias or `onto`. */
// @ts-ignore: decorator
@inline
function results(to: usize, outStride: usize, from: usize, rows: i32, bias: usize, biasStride: usize, onto: i32, below: i32, right: i32): void {
  const count = vectors;
  const next = pixelBytes;
  const row = rowBytes;
  const step = outputStep;
  const down = SIDE * step;
  const fromRow = rowStep;
  for (let r = 0; r < rows; r++) {
    const start = v128.load32_splat(bias);
    let m = from;
    let o = to;
    for (let v = 0; v < count; v++) {
      for (let j: usize = 0; j < <usize>SIDE; j++) {
        const at = m + j * step;
        transformProducts(half + j * BYTES, HALF_ROW, TILE, NOTHING, start, v128.load(at), v128.load(at + down), v128.load(at + 2 * down), v128.load(at + 3 * down), v128.load(at + 4 * down), v128.load(at + 5 * down));
      }
      for (let i = 0; i < below; i++) {
        const h = half + i * HALF_ROW;
        transformProducts(o + i * row, next, right, onto, start, v128.load(h), v128.load(h, BYTES), v128.load(h, 2 * BYTES), v128.load(h, 3 * BYTES), v128.load(h, 4 * BYTES), v128.load(h, 5 * BYTES));
      }
      m += BYTES;
      o += BYTES;
    }
    to += outStride;
    from += fromRow;
    bias += biasStride;
  }
}

/** A^T m A of vectors first .. first + part of an image's tiles, plus the bias or what was there. */
function transformOutput(out: usize, outStride: usize, rows: i32, bias: usize, biasStride: usize, accumulate: bool, height: i32, width: i32, first: i32, part: i32): void {
  for (let x = 0; x < part; ) {
    locate(out, first + x, part - x);
    const below = min(TILE, height - tileY);
    const right = min(TILE, width - tileX);
    const from = outputAt + x * BYTES;
    if (accumulate) results(tileAt, outStride, from, rows, bias, biasStride, WHAT_IS_THERE, below, right);
    else results(tileAt, outStride, from, rows, bias, biasStride, START, below, right);
    x += vectors;
  }
}

/**
 * Every segment of a convolution from `columns` to `rows` channels, or with `transposed` the other way: `input` then
 * has `rows` channels and `out` has `columns`. The bias (biasStride 4) is that of the first segment.
 */
export function winograd(transposed: bool, out: usize, outStride: usize, weight: usize, weightStride: usize, input: usize, inputStride: usize, rows: i32, columns: i32, bias: usize, zeros: usize, accumulate: bool, height: i32, width: i32, samples: i32, segments: i32, scratch: usize): void {
  const outputs = transposed ? columns : rows;
  const inputs = transposed ? rows : columns;
  layOutProducts(scratch, rows * columns, inputs);
  cut(width, samples);
  transformWeights(weight, weightStride, rows, columns, transposed);
  const total = across * tiles(height) * depth;
  const segment = <usize>(height * width * samples) * 4;
  for (let s = 0; s < segments; s++) {
    const biased = s == 0 && bias != 0;
    for (let first = 0; first < total; first += most) {
      const part = min(most, total - first);
      transformInput(input, inputStride, inputs, height, width, first, part);
      for (let r = 0; r < outputs; r += GROUP) {
        const group = min(GROUP, outputs - r);
        const place = <usize>r * (transposed ? 4 : 4 * columns);
        for (let p: usize = 0; p < <usize>POSITIONS; p++) {
          const w = weightsAt + p * weightStep + place;
          const m = outputAt + p * outputStep;
          const d = inputAt + p * inputStep;
          if (transposed) transposedRows(m, rowStep, w, 4 * columns, d, rowStep, group, inputs, false, part);
          else linearRows(m, rowStep, w, 4 * columns, d, rowStep, group, inputs, zeros, 0, false, part);
        }
        transformOutput(out + r * outStride, outStride, group, biased ? bias + 4 * r : zeros, biased ? 4 : 0, accumulate, height, width, first, part);
      }
    }
    out += segment;
    input += segment;
  }
}

/** A y A^T, the transpose of the result's transform: what the positions get from the gradient y of a tile. */
function transformGradients(a: usize, aStride: usize, rows: i32, height: i32, width: i32, first: i32, part: i32): void {
  for (let x = 0; x < part; ) {
    locate(a, first + x, part - x);
    const below = height - tileY;
    const right = width - tileX;
    const count = vectors;
    const next = pixelBytes;
    const row = rowBytes;
    const step = outputStep;
    const toRow = rowStep;
    let from = tileAt;
    let to = outputAt + x * BYTES;
    for (let r = 0; r < rows; r++) {
      for (let v = 0; v < count; v++) {
        for (let j = 0; j < TILE; j++) {
          const y = from + v * BYTES + j * next;
          const there = j < right;
          transformGradient(half + j * BYTES, HALF_ROW, pixel(there, y), pixel(there && below > 1, y + row), pixel(there && below > 2, y + 2 * row), pixel(there && below > 3, y + 3 * row));
        }
        const t = to + v * BYTES;
        for (let i: usize = 0; i < <usize>SIDE; i++) {
          const h = half + i * HALF_ROW;
          transformGradient(t + i * SIDE * step, step, v128.load(h), v128.load(h, BYTES), v128.load(h, 2 * BYTES), v128.load(h, 3 * BYTES));
        }
      }
      from += aStride;
      to += toRow;
    }
    x += count;
  }
}

/** out[i][tap][j] += sum over lanes of a[i] b[j], b shifted by the tap; a has `rows` channels, b has `columns`. */
export function winogradOuter(out: usize, outStride: usize, a: usize, aStride: usize, rows: i32, b: usize, bStride: usize, columns: i32, height: i32, width: i32, samples: i32, segments: i32, scratch: usize): void {
  layOutGradients(scratch, rows, columns);
  cut(width, samples);
  memory.fill(weightsAt, 0, POSITIONS * weightStep);
  const total = across * tiles(height) * depth;
  const segment = <usize>(height * width * samples) * 4;
  for (let s = 0; s < segments; s++) {
    for (let first = 0; first < total; first += most) {
      const part = min(most, total - first);
      transformInput(b, bStride, columns, height, width, first, part);
      transformGradients(a, aStride, rows, height, width, first, part);
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
  addWeights(out, outStride, rows, columns);
}

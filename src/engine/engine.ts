import type { PointwiseMap } from "./pointwise.js";

/** A stretch of numbers that an engine owns; `start` is in numbers from the start of its memory. */
export interface Tensor {
  /** Numbers from the start of the engine's memory. */
  readonly start: number;
  /** How many numbers. */
  readonly length: number;
}

/**
 * A matrix on a tensor: row r begins `offset + r * stride` numbers into it and is `lanes` long. Rows are
 * channels and lanes are samples. In a *jet* the lanes are segments of `batch` samples: the values, then one
 * segment for each tangent (math.md, "Jets").
 */
export interface Matrix {
  /** The memory that it stands in. */
  readonly tensor: Tensor;
  /** Numbers from the start of that to the first. */
  readonly offset: number;
  /** Channels. */
  readonly rows: number;
  /** Numbers of a row: samples, or segments of samples. */
  readonly lanes: number;
  /** Numbers from the start of a row to that of the next. */
  readonly stride: number;
}

/** A matrix on the start of a tensor, its rows next to each other. */
export function matrix(tensor: Tensor, rows: number, lanes: number, offset = 0): Matrix {
  if (offset + rows * lanes > tensor.length) {
    throw new RangeError(
      `${rows} x ${lanes} numbers from ${offset} on do not fit a tensor of ${tensor.length}`,
    );
  }
  return { tensor, offset, rows, lanes, stride: lanes };
}

/** Rows `first` to `first + rows - 1` of a matrix. */
export function rowsOf(m: Matrix, first: number, rows: number): Matrix {
  return { ...m, offset: m.offset + first * m.stride, rows };
}

/** Lanes `first` to `first + lanes - 1` of a matrix. */
export function lanesOf(m: Matrix, first: number, lanes: number): Matrix {
  return { ...m, offset: m.offset + first, lanes };
}

/**
 * The places of an image. The lanes of a segment are then [y][x][sample], so that a pixel's neighbour is the same
 * stretch of lanes at another place.
 */
export interface Grid {
  /** Places from top to bottom. */
  readonly height: number;
  /** Places from left to right. */
  readonly width: number;
}

/** Taps of a 3 x 3 convolution: 3 (dy + 1) + (dx + 1) for the neighbour at (y + dy, x + dx). */
export const TAPS = 9;

/** A Newton step of a solve: the first, or the last, after which lanes above the tolerance are given up. */
export type NewtonStage = "first" | "next" | "last";

/** Rows of the state of `Engine.newtonStep`. */
export const newtonStateRows = (dim: number) => 3 * dim + 4;

/** How many lanes a Newton step left above the tolerance, and by how much; what is not a number stays so. */
export interface NewtonStatus {
  /** The largest relative residual of any lane. */
  residual: number;
  /** The number of lanes that need another evaluation. */
  open: number;
  /** The largest relative residual of the others, which are done. */
  doneResidual: number;
  /** How many of those that are done are above the tolerance: they have been given up. */
  givenUp: number;
}

/**
 * The kernels that everything is made of. Calls enqueue work and return at once; only `read` and
 * `newtonStatus` wait for it. Matrices of one call must not overlap unless they are the same matrix.
 */
export interface Engine {
  /** Which engine it is. */
  readonly name: "reference" | "wasm";
  /** The distance from 1 to the next number: what tolerances are measured against. */
  readonly epsilon: number;
  /** Lanes come in multiples of this number; the lanes beyond a batch are padding. */
  readonly laneMultiple: number;
  /** The number of samples that one pass works on best. */
  readonly preferredBatch: number;

  /** New memory, all zeros, for as long as the engine lives. */
  tensor(length: number): Tensor;
  /** Copies the values to `offset` and on (default 0). Throws a `RangeError` where they do not fit. */
  write(tensor: Tensor, values: ArrayLike<number>, offset?: number): void;
  /** Copies `target.length` numbers from `offset` on into `target`. */
  read(tensor: Tensor, target: Float64Array, offset?: number): Promise<void>;

  /** out = weight input, plus bias (one column) in the first `biasLanes` lanes; without a bias, out += weight input. */
  linear(out: Matrix, weight: Matrix, input: Matrix, bias: Matrix | null, biasLanes: number): void;
  /** out = weight^T input, or out += with `accumulate`. */
  linearTransposed(out: Matrix, weight: Matrix, input: Matrix, accumulate: boolean): void;
  /** out += a b^T: summed over the lanes. */
  outer(out: Matrix, a: Matrix, b: Matrix): void;
  // 3 x 3 convolutions with zero padding, of `batch` lanes a segment. A row of `weight` has the taps' columns one
  // after the other: weight[r][tap][c].
  /** out[r] = sum over taps and c of weight[r][tap][c] input[c] at the neighbours, plus bias in the first segment. */
  convolution(out: Matrix, weight: Matrix, input: Matrix, bias: Matrix, grid: Grid, batch: number): void;
  /** The transpose of the same, or out += with `accumulate`. */
  convolutionTransposed(
    out: Matrix,
    weight: Matrix,
    input: Matrix,
    accumulate: boolean,
    grid: Grid,
    batch: number,
  ): void;
  /** out[r][tap][c] += a[r] b[c] at the neighbours, summed over the lanes. */
  convolutionOuter(out: Matrix, a: Matrix, b: Matrix, grid: Grid, batch: number): void;

  /** The jet of f(pre); the outputs of a concatenated map stand one below the other. */
  pointwise(map: PointwiseMap, out: Matrix, pre: Matrix, batch: number, parameter: number): void;
  /** The cotangent of `pointwise`; adds the gradient of the map's parameter to `parameterBar`. */
  pointwiseBackward(
    map: PointwiseMap,
    preBar: Matrix,
    outBar: Matrix,
    pre: Matrix,
    batch: number,
    parameter: number,
    parameterBar: Matrix,
  ): void;

  /** out = f'(pre), for every output of the map one below the other. */
  slopes(map: PointwiseMap, out: Matrix, pre: Matrix, parameter: number): void;
  /** The cotangent of `pointwise` for values alone: out[r] = sum over outputs o of slopes[o][r] outBar[o][r]. */
  applySlopes(out: Matrix, slopes: Matrix, outBar: Matrix): void;

  /** out = a x + b y; y may be null. */
  combine(out: Matrix, a: number, x: Matrix, b?: number, y?: Matrix | null): void;
  /** out[r] = scale[r] x[r] + shift[r]. */
  affine(out: Matrix, x: Matrix, scale: Matrix, shift: Matrix): void;
  /** out[r] += sum over lanes of x[r] y[r]; a null y counts as ones. */
  rowSums(out: Matrix, x: Matrix, y: Matrix | null): void;
  /** out = value, everywhere. */
  fill(out: Matrix, value: number): void;
  /** out += log-density of each lane of z under the standard normal, in nats. */
  gaussianLogDensity(out: Matrix, z: Matrix): void;

  // Each sample by itself, of `out.lanes` or `scale.lanes` samples; the lanes of the others are [place][sample].
  /** out[s] = sum over rows and places of x y. */
  sampleDots(out: Matrix, x: Matrix, y: Matrix): void;
  /** out[s] = the largest |x| over rows and places; not a number if any is not. */
  sampleMaxima(out: Matrix, x: Matrix): void;
  /** out = scale[s] x, or out += with `accumulate`; a scale of 0 leaves x out, even where it is not finite. */
  scaleSamples(out: Matrix, scale: Matrix, x: Matrix, accumulate: boolean): void;

  // The exact regime: J stands in the tangent segments of the jet of G.
  /** Sets the tangents of a jet of the identity map. */
  basisTangents(jet: Matrix, batch: number): void;
  /** logDet += plus log det(I + J) + minus log det(I - J); NaN where a determinant is not positive. */
  addLogDet(logDet: Matrix, jet: Matrix, plus: number, minus: number): void;
  /** Jet cotangent of addLogDet times `weight` (one row): zero values, tangents plus (I+J)^-T - minus (I-J)^-T. */
  logDetCotangent(bar: Matrix, weight: Matrix, jet: Matrix, plus: number, minus: number): void;
  /** out = (I + sign J)^-T right. */
  solveTransposed(out: Matrix, right: Matrix, jet: Matrix, sign: number): void;
  /**
   * One safeguarded Newton step on w + sign G(w) = target; see `solvers/newton.ts`. `state` has `newtonStateRows`
   * rows. The places of the lanes that need another evaluation are listed in `open` (as long as w has lanes), for
   * `gatherLanes` and `scatterLanes`; what it holds is the engine's own affair.
   */
  newtonStep(
    w: Matrix,
    target: Matrix,
    jet: Matrix,
    state: Matrix,
    open: Tensor,
    sign: number,
    tolerance: number,
    stage: NewtonStage,
  ): void;
  /**
   * The listed lanes of x next to each other in out, which has segments of `count` lanes where x has segments of
   * `batch`; `count` is the number of lanes that were open, padded.
   */
  gatherLanes(out: Matrix, count: number, x: Matrix, batch: number, open: Tensor): void;
  /** The way back: the lanes of x to the listed places of out. */
  scatterLanes(out: Matrix, batch: number, x: Matrix, count: number, open: Tensor): void;
  /** The outcome of the last Newton step. */
  newtonStatus(): Promise<NewtonStatus>;
}

/** `count` rounded up to a multiple of the engine's. */
export function paddedLanes(engine: Engine, count: number): number {
  return Math.ceil(count / engine.laneMultiple) * engine.laneMultiple;
}

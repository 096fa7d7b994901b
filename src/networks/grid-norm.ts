/**
 * The spectral norm of a 3 x 3 convolution with zero padding as a linear map of images on its grid (Gouk et al. 2021):
 * power iteration v = W^T u / |.|, u = W v / |.| with images u and v, sigma = u^T W v = <W, S>, where
 *   S[r][tap][c] = dsigma/dW[r][tap][c] = sum over pixels of u[r][pixel] v[c][neighbour at the tap].
 *
 * There is one image, not a batch, so the lanes are its pixels: with a border of zeros around it, every tap is a shift
 * of one stretch of lanes, and a convolution is nine matrix products. What these put into the border is cleared.
 */
import {
  type Engine,
  type Grid,
  type Matrix,
  matrix,
  paddedLanes,
  TAPS,
  type Tensor,
} from "../engine/engine.js";
import type { Parameter, ParameterMaker } from "../model/parameters.js";
import type { Random } from "../model/random.js";
import { convolutionNormBound } from "./convolution-norm.js";
import { normalise } from "./power-iteration.js";
import { type Effort, RunningBound } from "./running-bound.js";
import type { SpectralNorm } from "./spectral-norm.js";

/**
 * How far a norm is taken to be above what power iteration has found, at most: it ends when a round changes a norm by less
 * than a thousandth, and in training the vectors are those of the step before.
 */
const TRUST = 1.03;

export class GridNorm implements SpectralNorm {
  readonly #engine: Engine;
  readonly #weight: Parameter;
  readonly #grid: Grid;
  /** u on the grid, [row][y][x], and S. */
  readonly #left: Parameter;
  readonly #slope: Parameter;
  readonly #running: RunningBound;

  /** `weight` is [rows][tap][columns]. sigma is 0, and limits nothing, until `iterate`. */
  constructor(
    engine: Engine,
    parameters: ParameterMaker,
    name: string,
    layer: number,
    weight: Parameter,
    grid: Grid,
    random: Random,
  ) {
    this.#engine = engine;
    this.#weight = weight;
    this.#grid = grid;
    // |T| <= sum over taps of |W_k| <= 3 |W|_F.
    this.#running = new RunningBound(weight, Math.sqrt(TAPS));
    const shape = [weight.shape[0], grid.height, grid.width];
    const length = shape.reduce((a, b) => a * b, 1);
    const values = Float64Array.from({ length }, () => random.normal());
    this.#left = parameters.state(`${name}.left.${layer}`, shape, values);
    this.#slope = parameters.state(
      `${name}.slope.${layer}`,
      weight.shape,
      new Float64Array(weight.values.length),
    );
  }

  async iterate(rounds: number, tolerance: number): Promise<void> {
    const engine = this.#engine;
    const [rows, , columns] = this.#weight.shape;
    const { values } = this.#weight;
    const frame = new Frame(engine, this.#grid);
    const weight = scratch(engine, "weight", values.length);
    engine.write(weight, values);
    const of = (tensor: Tensor, tap: number): Matrix => {
      return { tensor, offset: tap * columns, rows, lanes: columns, stride: TAPS * columns };
    };
    const left = scratch(engine, "left", rows * frame.lanes);
    const right = scratch(engine, "right", columns * frame.lanes);
    const u = this.#left.values;
    const v = new Float64Array(columns * frame.pixels);
    frame.write(left, rows, u);
    let sigma = this.sigma();
    for (let n = 0; n < rounds; n++) {
      engine.fill(frame.stretch(right, columns, 0), 0);
      for (let tap = 0; tap < TAPS; tap++) {
        const input = frame.stretch(left, rows, -frame.shift(tap));
        engine.linearTransposed(frame.stretch(right, columns, 0), of(weight, tap), input, true);
      }
      await frame.read(right, columns, v);
      normalise(v);
      frame.write(right, columns, v);
      engine.fill(frame.stretch(left, rows, 0), 0);
      for (let tap = 0; tap < TAPS; tap++) {
        const input = frame.stretch(right, columns, frame.shift(tap));
        engine.linear(frame.stretch(left, rows, 0), of(weight, tap), input, null, 0);
      }
      await frame.read(left, rows, u);
      const before = sigma;
      sigma = normalise(u);
      frame.write(left, rows, u);
      if (Math.abs(sigma - before) <= tolerance * sigma) break;
    }
    const slope = scratch(engine, "slope", values.length);
    engine.fill(matrix(slope, 1, values.length), 0);
    for (let tap = 0; tap < TAPS; tap++) {
      const neighbours = frame.stretch(right, columns, frame.shift(tap));
      engine.outer(of(slope, tap), frame.stretch(left, rows, 0), neighbours);
    }
    await engine.read(slope, this.#slope.values);
  }

  sigma(): number {
    const [w, s] = [this.#weight.values, this.#slope.values];
    let sum = 0;
    for (let i = 0; i < w.length; i++) sum += w[i] * s[i];
    return sum;
  }

  addGradient(sigmaBar: number): void {
    const { gradient } = this.#weight;
    const s = this.#slope.values;
    for (let i = 0; i < s.length; i++) gradient[i] += sigmaBar * s[i];
  }

  /** The norm is at least the root of the mean of its squared singular values, |T|_F / rank^(1/2). */
  #least(): number {
    const [rows, , columns] = this.#weight.shape;
    const { height, width } = this.#grid;
    const { values } = this.#weight;
    let squares = 0;
    for (let tap = 0; tap < TAPS; tap++) {
      const pairs = (height - (Math.floor(tap / 3) === 1 ? 0 : 1)) * (width - (tap % 3 === 1 ? 0 : 1));
      let sum = 0;
      for (let r = 0; r < rows; r++) {
        const first = (r * TAPS + tap) * columns;
        for (let i = first; i < first + columns; i++) sum += values[i] ** 2;
      }
      squares += pairs * sum;
    }
    return Math.sqrt(squares / (Math.min(rows, columns) * height * width));
  }

  bound(effort: Effort): number {
    if (effort === "known") return this.#running.known();
    if (effort === "cheap") {
      const sigma = this.sigma();
      // Less than this no norm can be: these vectors belong to other weights.
      if (!(sigma >= this.#least())) return Number.POSITIVE_INFINITY;
      return Math.min(this.#running.known(), TRUST * sigma);
    }
    const [rows, , columns] = this.#weight.shape;
    const { height, width } = this.#grid;
    const quickly = effort === "tight" ? "tight" : "quick";
    return this.#running.certified(effort, () =>
      convolutionNormBound(this.#weight.values, rows, columns, height, width, quickly),
    );
  }
}

/** An image with a border of one pixel, its pixels as lanes. */
class Frame {
  readonly #engine: Engine;
  readonly #grid: Grid;
  /** Pixels of the image, and lanes of a row with the border. */
  readonly pixels: number;
  readonly lanes: number;
  readonly #across: number;
  /** From the first pixel to the last, the border between the rows included. */
  readonly #first: number;
  readonly #length: number;

  constructor(engine: Engine, grid: Grid) {
    const { height, width } = grid;
    this.#engine = engine;
    this.#grid = grid;
    this.pixels = height * width;
    this.#across = width + 2;
    this.#first = this.#across + 1;
    this.#length = paddedLanes(engine, height * this.#across - 2);
    this.lanes = 2 * this.#first + this.#length;
  }

  /** How far a neighbour is from its pixel. */
  shift(tap: number): number {
    return (Math.floor(tap / 3) - 1) * this.#across + (tap % 3) - 1;
  }

  /** The lanes from the first pixel to the last, `shift` lanes further on. */
  stretch(tensor: Tensor, rows: number, shift: number): Matrix {
    return { tensor, offset: this.#first + shift, rows, lanes: this.#length, stride: this.lanes };
  }

  #place(row: number, y: number): number {
    return row * this.lanes + this.#first + y * this.#across;
  }

  /** Puts an image there, zeros around it. */
  write(tensor: Tensor, rows: number, image: Float64Array): void {
    const { height, width } = this.#grid;
    const framed = new Float64Array(rows * this.lanes);
    for (let r = 0, i = 0; r < rows; r++) {
      for (let y = 0; y < height; y++, i += width)
        framed.set(image.subarray(i, i + width), this.#place(r, y));
    }
    this.#engine.write(tensor, framed);
  }

  /** Takes the image out of its frame. */
  async read(tensor: Tensor, rows: number, image: Float64Array): Promise<void> {
    const { height, width } = this.#grid;
    const framed = new Float64Array(rows * this.lanes);
    await this.#engine.read(tensor, framed);
    for (let r = 0, i = 0; r < rows; r++) {
      for (let y = 0; y < height; y++, i += width) {
        const from = this.#place(r, y);
        image.set(framed.subarray(from, from + width), i);
      }
    }
  }
}

/** Memory that all iterations on an engine share, one after the other. */
const memories = new WeakMap<Engine, Map<string, Tensor>>();

function scratch(engine: Engine, name: string, length: number): Tensor {
  const memory = memories.get(engine) ?? new Map<string, Tensor>();
  memories.set(engine, memory);
  let tensor = memory.get(name);
  if (!tensor || tensor.length < length) {
    tensor = engine.tensor(length);
    memory.set(name, tensor);
  }
  return tensor;
}

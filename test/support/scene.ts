import type { Engine, Matrix } from "../../src/engine/engine.js";
import { testRandom } from "./rows.js";

/** What a kernel left in one matrix. */
export interface Outcome {
  /** The numbers in the matrix, where the kernel may change them. */
  values: Float64Array;
  /** The length of a row. */
  lanes: number;
  /** How many products are summed up in each of them, about. */
  terms: number;
  /** Whether all other numbers of the tensor are as they were. */
  untouched: boolean;
}

type Fill = (row: number, lane: number) => number;

/**
 * What a kernel works on: matrices at random places inside larger tensors, with random float32 numbers in and
 * around them. Scenes of the same seed that are asked for the same matrices are the same on every engine.
 */
export class Scene {
  readonly engine: Engine;
  readonly #random;
  readonly #planted: { input: number; share: number } | null;
  #inputs = 0;
  readonly #tensors: { place: Matrix; before: Float64Array; terms: number }[] = [];

  /** `planted`: a place in one of the inputs (its number, and how far into it, 0 to 1) that holds NaN. */
  constructor(engine: Engine, seed: number, planted: { input: number; share: number } | null = null) {
    this.engine = engine;
    this.#random = testRandom(seed);
    this.#planted = planted;
  }

  /** Inputs that have been asked for. */
  get inputs(): number {
    return this.#inputs;
  }

  /** A float32 number. */
  number(): number {
    return Math.fround(this.#random.normal());
  }

  /** A matrix that the kernel must leave as it is. */
  input(rows: number, lanes: number, fill?: Fill): Matrix {
    return this.#place(rows, lanes, this.#gap(), 0, fill);
  }

  /** An input of one number a row, the rows next to each other. */
  column(rows: number): Matrix {
    return this.#place(rows, 1, 0, 0);
  }

  /** A matrix that the kernel may change. */
  output(rows: number, lanes: number, terms = 1): Matrix {
    return this.#place(rows, lanes, this.#gap(), terms);
  }

  /** An output of one number a row, the rows next to each other. */
  outputColumn(rows: number, terms: number): Matrix {
    return this.#place(rows, 1, 0, terms);
  }

  #gap(): number {
    return 4 * this.#random.integer(3);
  }

  #place(rows: number, lanes: number, gap: number, terms: number, fill?: Fill): Matrix {
    const offset = this.#random.integer(13);
    const stride = lanes + gap;
    const length = offset + rows * stride + this.#random.integer(9);
    const before = Float64Array.from({ length }, () => this.number());
    if (fill) {
      for (let r = 0; r < rows; r++) {
        for (let l = 0; l < lanes; l++) before[offset + r * stride + l] = Math.fround(fill(r, l));
      }
    }
    if (terms === 0 && this.#inputs++ === this.#planted?.input) {
      const at = Math.floor(this.#planted.share * rows * lanes);
      before[offset + Math.floor(at / lanes) * stride + (at % lanes)] = Number.NaN;
    }
    const tensor = this.engine.tensor(length);
    this.engine.write(tensor, before);
    const place = { tensor, offset, rows, lanes, stride };
    this.#tensors.push({ place, before, terms });
    return place;
  }

  /** What is in each matrix now, in the order in which they were asked for. */
  outcomes(): Promise<Outcome[]> {
    return Promise.all(
      this.#tensors.map(async ({ place: { tensor, offset, rows, lanes, stride }, before, terms }) => {
        const after = new Float64Array(before.length);
        await this.engine.read(tensor, after);
        const end = offset + rows * stride;
        const open = (i: number) => terms > 0 && i >= offset && i < end && (i - offset) % stride < lanes;
        return {
          values: after.filter((_, i) => open(i)),
          lanes,
          terms,
          untouched: after.every((x, i) => open(i) || Object.is(x, before[i])),
        };
      }),
    );
  }
}

import { z } from "zod";
import { type Engine, type Grid, type Matrix, matrix } from "../engine/engine.js";
import { FlowError } from "../errors.js";
import { inWords } from "../shape.js";
import { FixedMap } from "./fixed-map.js";
import type { BijectionKind } from "./kind.js";

/**
 * Squeeze (Dinh et al. 2017): [channel][2y + dy][2x + dx] -> [4 channel + 2 dy + dx][y][x], a permutation.
 */
export class Squeeze extends FixedMap {
  readonly kind = "squeeze";
  /** Of the input. */
  readonly #grid: Grid;
  readonly #channels: number;

  constructor(engine: Engine, channels: number, grid: Grid) {
    super(engine);
    this.#channels = channels;
    this.#grid = grid;
  }

  protected move(out: Matrix, input: Matrix, inverse: boolean): void {
    const { height, width } = this.#grid;
    const [fine, coarse] = inverse ? [out, input] : [input, out];
    const samples = fine.lanes / (height * width);
    // Every other pixel of a fine row goes to a row of pixels side by side.
    const pixels = (m: Matrix, start: number, stride: number): Matrix => ({
      ...matrix(m.tensor, 1, 1),
      offset: m.offset + start * samples,
      rows: width / 2,
      lanes: samples,
      stride: stride * samples,
    });
    for (let c = 0; c < this.#channels; c++) {
      for (let y = 0; y < height; y++) {
        for (let dx = 0; dx < 2; dx++) {
          const channel = 4 * c + 2 * (y % 2) + dx;
          const from = pixels(fine, (c * height + y) * width + dx, 2);
          const to = pixels(coarse, (channel * (height / 2) + Math.floor(y / 2)) * (width / 2), 1);
          this.engine.combine(inverse ? from : to, 1, inverse ? to : from);
        }
      }
    }
  }
}

const schema = z.strictObject({ kind: z.literal("squeeze") });

export const squeeze: BijectionKind<z.infer<typeof schema>> = {
  kind: "squeeze",
  schema,
  shapeAfter(shape) {
    const { channels, height, width } = shape;
    if (height % 2 !== 0 || width % 2 !== 0) {
      throw new FlowError(
        "usage",
        `images of ${inWords(shape)} cannot be squeezed: height and width must be even; use fewer scales`,
      );
    }
    return { channels: 4 * channels, height: height / 2, width: width / 2 };
  },
  make: (_, { engine, shape }) => new Squeeze(engine, shape.channels, shape),
};

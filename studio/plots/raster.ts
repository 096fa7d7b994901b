/** A density on a grid as coloured pixels, on the colour map of all of the package's pictures. */
import { interpolateViridis } from "d3-scale-chromatic";

/** 256 colours from dark blue to yellow, as RGBA in the byte order of ImageData. */
export const viridis = Uint32Array.from({ length: 256 }, (_, i) => {
  const [r, g, b] = /^#(..)(..)(..)$/
    .exec(interpolateViridis(i / 255))
    ?.slice(1)
    .map((hex) => Number.parseInt(hex, 16)) ?? [0, 0, 0];
  return (255 << 24) | (b << 16) | (g << 8) | r;
});

/** Paints values on a grid, row 0 at the bottom, over a whole canvas; `most` and above are the brightest colour. */
export class Raster {
  readonly #columns: number;
  readonly #rows: number;
  readonly #image: ImageData;
  readonly #pixels: Uint32Array;
  readonly #small: HTMLCanvasElement;

  constructor(columns: number, rows = columns) {
    this.#columns = columns;
    this.#rows = rows;
    this.#image = new ImageData(columns, rows);
    this.#pixels = new Uint32Array(this.#image.data.buffer);
    this.#small = document.createElement("canvas");
    this.#small.width = columns;
    this.#small.height = rows;
  }

  paint(
    context: CanvasRenderingContext2D,
    values: ArrayLike<number>,
    most: number,
    { width, height }: { width: number; height: number },
  ): void {
    const columns = this.#columns;
    for (let row = 0; row < this.#rows; row++) {
      const to = (this.#rows - 1 - row) * columns;
      for (let i = 0; i < columns; i++) {
        const share = values[row * columns + i] / most;
        this.#pixels[to + i] = viridis[share >= 1 ? 255 : share > 0 ? (share * 255) | 0 : 0];
      }
    }
    this.#small.getContext("2d")?.putImageData(this.#image, 0, 0);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "low";
    context.drawImage(this.#small, 0, 0, width, height);
  }
}

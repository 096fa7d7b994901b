/** Many small images in a grid: samples, reconstructions under their originals, paths in latent space. */
import * as Plot from "@observablehq/plot";
import { check } from "../errors.js";
import { compose, type Picture, panel, widthOf } from "./picture.js";
import { dataUrl, type Raster } from "./raster.js";

export interface ImageSheet {
  /** [image][channel][y][x], from 0 (black) to `levels - 1`; what lies outside is clipped, NaN is grey. */
  readonly images: ArrayLike<number>;
  /** One channel (grey) or three (red, green, blue). */
  readonly shape: { readonly channels: number; readonly height: number; readonly width: number };
  /** Default 256. */
  readonly levels?: number | undefined;
  /** Images in a row. Default: as the row labels say, else as many as there are rows, or one more. */
  readonly columns?: number | undefined;
  /** Pixels of the figure to a pixel of an image, a whole number. Default: images of about 56 pixels. */
  readonly scale?: number | undefined;
  /** A name for every row of the grid, at its left. */
  readonly rowLabels?: readonly string[] | undefined;
  readonly title?: string | undefined;
  readonly caption?: string | undefined;
}

const SIDE = 56;
/** Between the images and around them, in pixels of the figure; grey stands out from black and from white. */
const GAP = 2;
const GAP_SHADE = 176;
/** Raster pixels to a pixel of the figure, so that edges are sharp in a PNG of the usual scale. */
const DENSITY = 2;
const LABEL = { size: 14, most: 150, space: 10 };
const LEAST_WIDTH = 260;

/** Images fill the rows one after the other. Throws `usage` where sizes, rows or levels do not fit. */
export function imageSheet(sheet: ImageSheet): Picture {
  const { images, shape, rowLabels = [], levels = 256 } = sheet;
  const { channels, height, width } = shape;
  const each = channels * height * width;
  check(channels === 1 || channels === 3, "usage", `images have 1 or 3 channels, not ${channels}`);
  check(
    positive(height) && positive(width) && images.length > 0 && images.length % each === 0,
    "usage",
    `${images.length} values make no images of ${channels} x ${height} x ${width}`,
  );
  check(levels >= 2, "usage", `images need at least 2 levels, not ${levels}`);
  const count = images.length / each;
  const columns =
    sheet.columns ?? Math.ceil(rowLabels.length > 0 ? count / rowLabels.length : Math.sqrt(count));
  const scale = sheet.scale ?? Math.max(1, Math.round(SIDE / Math.max(height, width)));
  check(positive(columns), "usage", `an image sheet needs a positive number of columns, not ${columns}`);
  check(positive(scale), "usage", `the scale of an image sheet is a positive whole number, not ${scale}`);
  const rows = Math.ceil(count / columns);
  check(
    rowLabels.length === 0 || rowLabels.length === rows,
    "usage",
    `${rowLabels.length} labels do not fit ${rows} rows of images`,
  );

  const trueColour = channels === 3;
  const raster = drawn({ images, shape, levels, columns, rows, scale });
  const size = { width: raster.width / DENSITY, height: raster.height / DENSITY };
  const widest = Math.max(0, ...rowLabels.map((label) => widthOf(label, LABEL.size)));
  const marginLeft = rowLabels.length > 0 ? Math.ceil(Math.min(widest, LABEL.most)) + LABEL.space : 0;
  const marginRight = Math.max(0, LEAST_WIDTH - marginLeft - size.width);
  const middles = rowLabels.map((_, r) => ((r + 0.5) * size.height) / rows);
  const composed = compose({
    title: sheet.title,
    caption: sheet.caption,
    rows: [
      [
        panel({
          width: marginLeft + size.width + marginRight,
          height: size.height,
          marginLeft,
          marginRight,
          marginTop: 0,
          marginBottom: 0,
          x: { axis: null, domain: [0, size.width] },
          y: { axis: null, domain: [size.height, 0] },
          marks: [
            Plot.image([0], {
              src: dataUrl(raster, trueColour),
              ...size,
              frameAnchor: "middle",
              preserveAspectRatio: "none",
              imageRendering: "pixelated",
            }),
            Plot.text(rowLabels, {
              x: rowLabels.map(() => 0),
              y: middles,
              dx: -LABEL.space,
              textAnchor: "end",
              fontSize: LABEL.size,
              lineWidth: LABEL.most / LABEL.size,
            }),
          ],
        }),
      ],
    ],
  });
  return { ...composed, trueColour };
}

const positive = (n: number) => Number.isInteger(n) && n > 0;

type Drawing = Required<Pick<ImageSheet, "images" | "shape">> & {
  readonly levels: number;
  readonly columns: number;
  readonly rows: number;
  readonly scale: number;
};

/** The images with grey gaps; places without an image are white. */
function drawn({ images, shape, levels, columns, rows, scale }: Drawing): Raster {
  const { channels, height, width } = shape;
  const block = scale * DENSITY;
  const gap = GAP * DENSITY;
  const [stepX, stepY] = [width * block + gap, height * block + gap];
  const raster = { width: columns * stepX + gap, height: rows * stepY + gap };
  const data = new Uint8ClampedArray(3 * raster.width * raster.height).fill(255);
  const pixels = height * width;
  const fill = (left: number, top: number, wide: number, high: number, colour: readonly number[]) => {
    for (let y = top; y < top + high; y++)
      for (let x = left; x < left + wide; x++) data.set(colour, 3 * (y * raster.width + x));
  };
  for (let n = 0; n * channels * pixels < images.length; n++) {
    const left = (n % columns) * stepX;
    const top = Math.floor(n / columns) * stepY;
    fill(left, top, stepX + gap, stepY + gap, [GAP_SHADE, GAP_SHADE, GAP_SHADE]);
    for (let i = 0; i < pixels; i++) {
      const colour = [0, 1, 2].map((c) => {
        const value = images[(n * channels + Math.min(c, channels - 1)) * pixels + i];
        return Number.isNaN(value) ? GAP_SHADE : Math.round((255 * value) / (levels - 1));
      });
      const [x, y] = [i % width, Math.floor(i / width)];
      fill(left + gap + x * block, top + gap + y * block, block, block, colour);
    }
  }
  return { ...raster, data };
}

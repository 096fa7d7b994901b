/** Pixel pictures inside figures: density maps and clouds of many dots, as PNG data URLs. */
import { interpolateViridis } from "d3-scale-chromatic";
import type { Table } from "../table.js";
import { encodeIndexed, encodeTrueColour } from "./indexed.js";

/** The rectangle [xmin, xmax, ymin, ymax] of the plane that a picture shows. */
export type Extent = readonly [xmin: number, xmax: number, ymin: number, ymax: number];

/** RGB bytes, row 0 at the top. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

export interface Cloud {
  readonly points: Table;
  /** The columns that are x and y. */
  readonly columns: readonly [number, number];
  readonly colour: string;
}

/** Raster pixels to a pixel of the figure: those of a PNG at its usual scale. */
const SCALE = 2;

function rgb(hex: string): [number, number, number] {
  const value = Number.parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

const viridis = Array.from({ length: 256 }, (_, i) => rgb(interpolateViridis(i / 255)));
const notANumber = [160, 160, 160] as const;

export function dataUrl(raster: Raster, trueColour = false): string {
  const png = (trueColour ? encodeTrueColour : encodeIndexed)(raster);
  return `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
}

/**
 * Colours a grid of `columns` x `values.length / columns` densities, row 0 at the bottom:
 * viridis from 0 to `top`, larger values like `top`, values that are not numbers in grey.
 */
export function densityRaster(values: Float64Array, columns: number, top: number): Raster {
  const height = values.length / columns;
  const data = new Uint8ClampedArray(values.length * 3);
  values.forEach((value, i) => {
    const row = height - 1 - Math.floor(i / columns);
    const shade = Math.max(0, Math.min(255, Math.round((255 * value) / top)));
    data.set(Number.isNaN(value) ? notANumber : viridis[shade], (row * columns + (i % columns)) * 3);
  });
  return { width: columns, height, data };
}

/** Estimates the density of points (x, y in columns 0 and 1): counts / (points x area of a bin), row 0 at ymin. */
export function histogram2d(points: Table, [xmin, xmax, ymin, ymax]: Extent, bins: number): Float64Array {
  const density = new Float64Array(bins * bins);
  const share = (bins * bins) / (points.rows * (xmax - xmin) * (ymax - ymin));
  for (let row = 0; row < points.rows; row++) {
    const x = Math.floor((bins * (points.at(row, 0) - xmin)) / (xmax - xmin));
    const y = Math.floor((bins * (points.at(row, 1) - ymin)) / (ymax - ymin));
    if (x >= 0 && x < bins && y >= 0 && y < bins) density[y * bins + x] += share;
  }
  return density;
}

/**
 * Translucent dots on white. The clouds are drawn in turns, so none of them covers the others, and of
 * each at most `most` points, taken evenly over its rows.
 */
export function dotsRaster(
  clouds: readonly Cloud[],
  [xmin, xmax, ymin, ymax]: Extent,
  size: { width: number; height: number; most: number; radius: number },
): Raster {
  const width = Math.round(size.width * SCALE);
  const height = Math.round(size.height * SCALE);
  const radius = size.radius * SCALE;
  const data = new Uint8ClampedArray(width * height * 3).fill(255);
  const drawn = Math.min(size.most, Math.max(...clouds.map((c) => c.points.rows)));
  const opacity = Math.max(0.2, Math.min(0.8, 1000 / drawn));
  for (let i = 0; i < drawn; i++) {
    for (const { points, columns, colour } of clouds) {
      if (i >= points.rows) continue;
      const row = Math.floor((i * points.rows) / Math.min(drawn, points.rows));
      const x = (width * (points.at(row, columns[0]) - xmin)) / (xmax - xmin);
      const y = (height * (ymax - points.at(row, columns[1]))) / (ymax - ymin);
      if (x >= 0 && x < width && y >= 0 && y < height) disc(x, y, rgb(colour));
    }
  }
  return { width, height, data };

  function disc(x: number, y: number, colour: readonly number[]) {
    const reach = radius + 1;
    for (let v = Math.max(0, Math.floor(y - reach)); v < Math.min(height, y + reach); v++)
      for (let u = Math.max(0, Math.floor(x - reach)); u < Math.min(width, x + reach); u++) {
        // The pixel's covered part, from the distance of its centre to the edge of the disc.
        const covered = radius + 0.5 - Math.hypot(u + 0.5 - x, v + 0.5 - y);
        if (covered <= 0) continue;
        const alpha = opacity * Math.min(1, covered);
        for (let c = 0; c < 3; c++) {
          const at = (v * width + u) * 3 + c;
          data[at] += alpha * (colour[c] - data[at]);
        }
      }
  }
}

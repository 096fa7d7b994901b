import * as Plot from "@observablehq/plot";
import { check } from "../errors.js";
import type { Table } from "../table.js";
import {
  compose,
  ink,
  type KeyEntry,
  type Panel,
  type PanelOptions,
  type Picture,
  palette,
  panel,
  shortTicks,
} from "./picture.js";
import { quantile, sorted } from "./quantile.js";
import { dataUrl, dotsRaster } from "./raster.js";

export interface MarginalsFigure {
  /** The columns' names. */
  readonly names: readonly string[];
  readonly data: Table;
  readonly samples: Table;
  /** The model's density over the only column, as a curve. */
  readonly density?: { readonly x: ArrayLike<number>; readonly y: ArrayLike<number> } | undefined;
  readonly title?: string | undefined;
  readonly caption?: string | undefined;
}

type Range = [low: number, high: number];

const MOST_COLUMNS = 6;
const MOST_DOTS = 3000;
const colours = { data: palette[0], samples: palette[1] };

/**
 * Compares a model's samples with data, column by column: histograms for one column, a scatter matrix for
 * more (below the diagonal pairs of columns, on it histograms; the first six columns at most). Axes show the
 * middle 99% of the data. Throws `usage` for empty tables and for tables or names that do not match.
 */
export function marginalsFigure(figure: MarginalsFigure): Picture {
  const { names, data, samples, density, title } = figure;
  check(
    data.rows > 0 && samples.rows > 0 && data.columns > 0,
    "usage",
    "a figure of marginals needs data and samples",
  );
  check(
    data.columns === samples.columns && data.columns === names.length,
    "usage",
    `data of ${data.columns} columns, samples of ${samples.columns} and ${names.length} names do not match`,
  );
  const ranges = names.slice(0, MOST_COLUMNS).map((_, c) => rangeOf(data.column(c)));
  const columns = ranges.length;
  const caption = [
    figure.caption,
    names.length > columns && `The first ${columns} of ${names.length} columns.`,
  ];
  const key: KeyEntry[] = [
    { name: "data", colour: colours.data, mark: "area" },
    { name: "samples of the model", colour: colours.samples, mark: columns > 1 ? "area" : "line" },
  ];
  if (columns === 1 && density) key.push({ name: "density of the model", colour: ink, mark: "line" });
  const rows = columns === 1 ? [[single(figure, ranges[0])]] : matrix(figure, ranges);
  return compose({ rows, title, key, caption: caption.filter(Boolean).join(" ") });
}

function single({ names, data, samples, density }: MarginalsFigure, range: Range): Panel {
  const marks = histograms(data.column(0), samples.column(0), range, 60);
  if (density) {
    const curve = Array.from(density.x, (x, i) => ({ x, y: density.y[i] })).filter(
      ({ x }) => x >= range[0] && x <= range[1],
    );
    marks.push(Plot.line(curve, { x: "x", y: "y", stroke: ink, strokeWidth: 2 }));
  }
  return panel({
    width: 860,
    height: 440,
    marginTop: 10,
    marginRight: 20,
    marginBottom: 48,
    marginLeft: 76,
    x: { domain: range, label: names[0], ticks: 7 },
    y: { label: "probability density", ticks: 6 },
    insetTop: 10,
    marks: [...marks, Plot.frame({ stroke: ink })],
  });
}

function matrix({ names, data, samples }: MarginalsFigure, ranges: readonly Range[]): Panel[][] {
  const last = ranges.length - 1;
  const side = Math.max(150, Math.min(280, Math.floor(860 / ranges.length)));
  // A name longer than its side of a cell would run into its neighbours'.
  const label = (c: number) => shorten(names[c], side / 10);
  const scale = (c: number, named: boolean): Plot.ScaleOptions => ({
    domain: ranges[c],
    ticks: 3,
    label: named ? label(c) : null,
    ...(named ? shortTicks(ranges[c], 1000) : { tickFormat: () => "" }),
  });
  return ranges.map((_, row) =>
    ranges.slice(0, row + 1).map((_, column) => {
      const named = { x: row === last, y: column === 0 && row > 0 };
      const size = {
        marginTop: 4,
        marginRight: 4,
        marginBottom: named.x ? 46 : 8,
        marginLeft: column === 0 ? 68 : 6,
      };
      const frame: Omit<PanelOptions, "marks"> = {
        ...size,
        width: side + size.marginLeft + size.marginRight,
        height: side + size.marginTop + size.marginBottom,
        x: scale(column, named.x),
      };
      if (row === column) {
        const bars = histograms(data.column(column), samples.column(column), ranges[column], 40);
        return panel({
          ...frame,
          y: { axis: null },
          insetTop: 6,
          marks: [...bars, Plot.frame({ stroke: ink })],
        });
      }
      const clouds = [
        { points: data, columns: [column, row] as const, colour: colours.data },
        { points: samples, columns: [column, row] as const, colour: colours.samples },
      ];
      const raster = dotsRaster(clouds, [...ranges[column], ...ranges[row]], {
        width: side,
        height: side,
        most: MOST_DOTS,
        radius: 1.3,
      });
      const image = Plot.image([0], {
        src: dataUrl(raster),
        width: side,
        height: side,
        frameAnchor: "middle",
      });
      return panel({ ...frame, y: scale(row, named.y), marks: [image, Plot.frame({ stroke: ink })] });
    }),
  );
}

/** Both histograms as densities over the same bins: the data filled, the samples as an outline. */
function histograms(
  data: Float64Array,
  samples: Float64Array,
  [low, high]: Range,
  bins: number,
): Plot.Markish[] {
  const step = (high - low) / bins;
  const outline = (values: Float64Array) => {
    const heights = new Float64Array(bins);
    for (const value of values) {
      const bin = Math.floor((value - low) / step);
      if (bin >= 0 && bin < bins) heights[bin] += 1 / (values.length * step);
    }
    return Array.from(heights).flatMap((y, i) => [
      { x: low + i * step, y },
      { x: low + (i + 1) * step, y },
    ]);
  };
  return [
    // With y1 given, Plot does not stack the two values at a bin's edge.
    Plot.areaY(outline(data), { x: "x", y1: 0, y2: "y", fill: colours.data, fillOpacity: 0.5 }),
    Plot.line(outline(samples), { x: "x", y: "y", stroke: colours.samples, strokeWidth: 2 }),
  ];
}

/** The 0.5% to 99.5% quantiles, with a margin of a twentieth. */
function rangeOf(values: Float64Array): Range {
  const ascending = sorted(values);
  check(ascending.length > 0, "usage", "a column without finite numbers cannot be drawn");
  const [low, high] = [quantile(ascending, 0.005), quantile(ascending, 0.995)];
  const room = 0.05 * (high - low) || Math.abs(low) || 1;
  return [low - room, high + room];
}

function shorten(name: string, letters: number): string {
  return name.length > letters ? `${name.slice(0, letters - 1)}…` : name;
}

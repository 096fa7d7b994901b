import * as Plot from "@observablehq/plot";
import { check } from "../errors.js";
import type { Table } from "../table.js";
import { compose, ink, type Panel, type PanelOptions, type Picture, palette, panel } from "./picture.js";
import { dataUrl, densityRaster, dotsRaster, type Extent, histogram2d, type Raster } from "./raster.js";

/**
 * One panel: points (the first two columns of a table) as translucent dots or, by default from
 * 20,000 rows on, as a 2-D histogram; or a density on a grid.
 */
export type DensityPanel = { readonly title: string } & (
  | { readonly points: Table; readonly as?: "dots" | "histogram" }
  | {
      readonly density: {
        /** Probability densities (not logarithms), `resolution` x `resolution`, row-major, row 0 at ymin. */
        readonly values: Float64Array;
        readonly resolution: number;
      };
    }
);

export interface DensityFigure {
  readonly panels: readonly DensityPanel[];
  readonly extent: Extent;
  readonly title?: string | undefined;
  readonly caption?: string | undefined;
  /** Default "x₁". */
  readonly xLabel?: string | undefined;
  /** Default "x₂". */
  readonly yLabel?: string | undefined;
  /** The density at the top of the colour scale; default: the largest of all panels. */
  readonly maxDensity?: number | undefined;
  /** The longer side of a panel in pixels (default 340). */
  readonly side?: number | undefined;
  /** Panels in a row (default: at most four, in rows of equal length). */
  readonly columns?: number | undefined;
}

const SIDE = 340;
const HISTOGRAM_FROM = 20_000;
const BINS = 100;
/** The bar is never shorter than its label. */
const LEAST_BAR = 170;
const ticksOn = (pixels: number) => Math.max(1, Math.round(pixels / 70));
/** A panel beside another needs no names on its y axis. */
const bare = { label: null, tickFormat: () => "" };

/**
 * Draws panels side by side (four at most in a row) over the same extent with equal aspect. All density
 * and histogram panels share one colour scale, shown by a bar. Throws `usage` for an empty list, an empty
 * extent or arrays of the wrong size.
 */
export function densityFigure(figure: DensityFigure): Picture {
  const { panels, extent, xLabel = "x₁", yLabel = "x₂" } = figure;
  const [xmin, xmax, ymin, ymax] = extent;
  check(panels.length > 0, "usage", "a density figure needs at least one panel");
  check(xmax > xmin && ymax > ymin, "usage", `the extent [${extent.join(", ")}] is empty`);

  const grids = panels.map((p) => gridOf(p, extent));
  const largest = grids.reduce(
    (most, grid) => grid?.values.reduce((a, b) => (Number.isFinite(b) && b > a ? b : a), most) ?? most,
    0,
  );
  const top = figure.maxDensity ?? (largest || 1);

  const pixel = (figure.side ?? SIDE) / Math.max(xmax - xmin, ymax - ymin);
  const width = Math.ceil(pixel * (xmax - xmin));
  const height = Math.ceil(pixel * (ymax - ymin));
  const columns = figure.columns ?? Math.ceil(panels.length / Math.ceil(panels.length / 4));
  const drawn = panels.map((p, i) => {
    const grid = grids[i];
    const raster = grid
      ? densityRaster(grid.values, grid.resolution, top)
      : dotsRaster(
          [{ points: (p as { points: Table }).points, columns: [0, 1], colour: palette[0] }],
          extent,
          { width, height, most: HISTOGRAM_FROM, radius: 1.5 },
        );
    const first = i % columns === 0;
    return imagePanel(
      raster,
      {
        innerWidth: width,
        innerHeight: height,
        marginLeft: first ? 62 : 12,
        marginRight: 12,
        x: { domain: [xmin, xmax], label: xLabel, ticks: ticksOn(width) },
        y: { domain: [ymin, ymax], label: yLabel, ticks: ticksOn(height), ...(first ? {} : bare) },
      },
      p.title,
    );
  });
  const rows = Array.from({ length: Math.ceil(drawn.length / columns) }, (_, r) =>
    drawn.slice(r * columns, (r + 1) * columns),
  );
  if (grids.some(Boolean)) rows[0].push(colourBar(top, height));
  return compose({ rows, title: figure.title, caption: figure.caption });
}

/** The grid of densities that a panel shows; nothing for a panel of dots. */
function gridOf(p: DensityPanel, extent: Extent) {
  if ("density" in p) {
    const { values, resolution } = p.density;
    check(
      values.length === resolution * resolution && resolution > 0,
      "usage",
      `panel "${p.title}" needs ${resolution} x ${resolution} densities, not ${values.length}`,
    );
    return p.density;
  }
  check(
    p.points.rows > 0 && p.points.columns >= 2,
    "usage",
    `panel "${p.title}" needs points of two columns, not a table of ${p.points.rows} x ${p.points.columns}`,
  );
  if ((p.as ?? (p.points.rows >= HISTOGRAM_FROM ? "histogram" : "dots")) === "dots") return undefined;
  return { values: histogram2d(p.points, extent, BINS), resolution: BINS };
}

function colourBar(top: number, height: number): Panel {
  const scale = densityRaster(
    Float64Array.from({ length: 256 }, (_, i) => i),
    1,
    255,
  );
  return imagePanel(scale, {
    innerWidth: 18,
    innerHeight: Math.max(height, LEAST_BAR),
    marginLeft: 6,
    marginRight: 90,
    x: { axis: null },
    y: { axis: "right", domain: [0, top], label: "probability density", ticks: 5 },
  });
}

type ImageOptions = Omit<PanelOptions, "width" | "height"> & { innerWidth: number; innerHeight: number };

/** A panel whose frame is filled by a raster. */
function imagePanel(raster: Raster, options: ImageOptions, title?: string): Panel {
  const { innerWidth, innerHeight, ...rest } = options;
  const { marginLeft, marginRight } = options;
  const marginTop = 8;
  const marginBottom = 46;
  const image = {
    width: innerWidth,
    height: innerHeight,
    frameAnchor: "middle",
    preserveAspectRatio: "none",
  } as const;
  return panel(
    {
      ...rest,
      width: marginLeft + innerWidth + marginRight,
      height: marginTop + innerHeight + marginBottom,
      marginTop,
      marginBottom,
      marks: [Plot.image([0], { ...image, src: dataUrl(raster) }), Plot.frame({ stroke: ink })],
    },
    title,
  );
}

/** Small multiples of densities and points without axes: a column for each distribution, a row for each view of it. */
import * as Plot from "@observablehq/plot";
import { check } from "../errors.js";
import type { Table } from "../table.js";
import { compose, ink, type Picture, palette, panel } from "./picture.js";
import { dataUrl, densityRaster, dotsRaster, type Extent } from "./raster.js";

export type MosaicCell =
  /** Translucent dots: the first two columns of a table. */
  | { readonly points: Table }
  /** Probability densities on a square grid, row-major, row 0 at ymin. */
  | { readonly density: Float64Array };

export interface MosaicFigure {
  readonly columns: readonly {
    readonly title: string;
    readonly extent: Extent;
    /** From top to bottom. */
    readonly cells: readonly MosaicCell[];
    /** The density at the top of the column's colour scale. */
    readonly maxDensity: number;
  }[];
  /** Names of the rows. */
  readonly rows: readonly string[];
  readonly title?: string | undefined;
  readonly caption?: string | undefined;
}

const SIDE = 116;
const NAME = 34;
const MARGIN = 2;

/** Throws `usage` where a column has another number of cells than there are rows, or a density is no square. */
export function mosaicFigure({ columns, rows, title, caption }: MosaicFigure): Picture {
  check(columns.length > 0 && rows.length > 0, "usage", "a mosaic needs at least one column and one row");
  for (const { title, cells } of columns) {
    check(cells.length === rows.length, "usage", `${title} has ${cells.length} cells in ${rows.length} rows`);
  }
  return compose({
    title,
    caption,
    rows: rows.map((name, r) =>
      columns.map(({ title, extent, cells, maxDensity }, c) => {
        const named = c === 0;
        const margins = { left: named ? NAME : MARGIN, right: MARGIN, top: MARGIN, bottom: MARGIN };
        const src = dataUrl(rasterOf(cells[r], extent, maxDensity, `${title}, ${name}`));
        return panel(
          {
            width: margins.left + SIDE + margins.right,
            height: margins.top + SIDE + margins.bottom,
            marginLeft: margins.left,
            marginRight: margins.right,
            marginTop: margins.top,
            marginBottom: margins.bottom,
            x: { axis: null, domain: [extent[0], extent[1]] },
            y: {
              axis: named ? "left" : null,
              domain: [extent[2], extent[3]],
              label: name,
              labelOffset: NAME - 8,
              ticks: [],
            },
            marks: [
              Plot.image([0], {
                src,
                width: SIDE,
                height: SIDE,
                frameAnchor: "middle",
                preserveAspectRatio: "none",
              }),
              Plot.frame({ stroke: ink }),
            ],
          },
          r === 0 ? title : undefined,
        );
      }),
    ),
  });
}

function rasterOf(cell: MosaicCell, extent: Extent, top: number, name: string) {
  if ("points" in cell) {
    const { points } = cell;
    check(points.rows > 0 && points.columns >= 2, "usage", `${name} has no points of two columns`);
    const size = { width: SIDE, height: SIDE, most: 2_000, radius: 0.8 };
    return dotsRaster([{ points, columns: [0, 1], colour: palette[0] }], extent, size);
  }
  const resolution = Math.sqrt(cell.density.length);
  check(
    Number.isInteger(resolution) && resolution > 0,
    "usage",
    `${name}: ${cell.density.length} densities make no square`,
  );
  return densityRaster(cell.density, resolution, top);
}

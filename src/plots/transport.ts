/** How maps carry the plane: grid lines and points after each stage, one row a map. */
import * as Plot from "@observablehq/plot";
import { check } from "../errors.js";
import type { Table } from "../table.js";
import { compose, ink, type Picture, palette, panel } from "./picture.js";
import { dataUrl, dotsRaster, type Extent } from "./raster.js";

/** What a map has made of the grid and of the points so far; rows are places, the columns x and y. */
export interface Stage {
  readonly title: string;
  /** Each line as the places along it; the first half are lines of equal x, the others of equal y. */
  readonly lines: readonly Table[];
  readonly points: Table;
}

export interface TransportFigure {
  readonly rows: readonly { readonly title: string; readonly stages: readonly Stage[] }[];
  readonly extent: Extent;
  /** Radii of circles around the origin in the last stage: where a standard normal has its mass. */
  readonly circles?: readonly number[] | undefined;
  readonly title?: string | undefined;
  readonly caption?: string | undefined;
}

const SIDE = 140;
const GAP_WITHIN = 2;
const NAME = 58;
const BOTTOM = 28;
/** Places of a line nearer than this to the chord of their neighbours, in pixels, are not drawn. */
const DEVIATION = 0.15;
const [EQUAL_X, EQUAL_Y] = palette;

/** Throws `usage` where a row has no stages, or stages without lines. */
export function transportFigure({ rows, extent, circles = [], title, caption }: TransportFigure): Picture {
  check(rows.length > 0, "usage", "a transport figure needs at least one row");
  return compose({
    title,
    caption,
    rows: rows.map((row, r) => {
      check(row.stages.length > 0, "usage", `${row.title} has no stages`);
      return row.stages.map((stage, s) => {
        const last = s === row.stages.length - 1;
        return stagePanel(stage, extent, {
          name: s === 0 ? row.title : undefined,
          circles: last ? circles : [],
          titled: r === 0,
        });
      });
    }),
  });
}

function stagePanel(
  { title, lines, points }: Stage,
  extent: Extent,
  { name, circles, titled }: { name: string | undefined; circles: readonly number[]; titled: boolean },
) {
  check(lines.length > 0, "usage", `the stage "${title}" has no lines`);
  const [xmin, xmax, ymin, ymax] = extent;
  const pixel = SIDE / (xmax - xmin);
  const height = Math.round(pixel * (ymax - ymin));
  const cloud = dotsRaster([{ points, columns: [0, 1], colour: ink }], extent, {
    width: SIDE,
    height,
    most: 600,
    radius: 1.1,
  });
  const left = name === undefined ? GAP_WITHIN : NAME;
  const grid = lines.map((line, i) => {
    const places = simplified(line, DEVIATION / pixel).map((row) => [line.at(row, 0), line.at(row, 1)]);
    const stroke = i < lines.length / 2 ? EQUAL_X : EQUAL_Y;
    return Plot.line(places, { stroke, strokeWidth: 0.8, strokeOpacity: 0.75, clip: true });
  });
  return panel(
    {
      width: left + SIDE + GAP_WITHIN,
      height: 4 + height + BOTTOM,
      marginLeft: left,
      marginRight: GAP_WITHIN,
      marginTop: 4,
      marginBottom: BOTTOM,
      x: { domain: [xmin, xmax], label: null, ticks: innerTicks(xmin, xmax) },
      y: {
        domain: [ymin, ymax],
        label: name ?? null,
        ticks: innerTicks(ymin, ymax),
        labelOffset: NAME - 8,
        ...(name === undefined ? { tickFormat: () => "" } : {}),
      },
      marks: [
        Plot.image([0], {
          src: dataUrl(cloud),
          width: SIDE,
          height,
          frameAnchor: "middle",
          preserveAspectRatio: "none",
        }),
        ...grid,
        ...circles.map((radius) =>
          Plot.line(circle(radius), { stroke: ink, strokeWidth: 1.5, strokeDasharray: "5,4", clip: true }),
        ),
        Plot.frame({ stroke: ink }),
      ],
    },
    titled ? title : undefined,
  );
}

/** At the quarters: none at an end, where it would touch that of the panel beside it. */
function innerTicks(low: number, high: number): number[] {
  return [1, 2, 3].map((quarter) => low + (quarter / 4) * (high - low));
}

function circle(radius: number): number[][] {
  return Array.from({ length: 73 }, (_, i) => {
    const angle = (2 * Math.PI * i) / 72;
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
}

/** The rows of a line that are needed so that all others are within `deviation` of it (Douglas and Peucker 1973). */
function simplified(line: Table, deviation: number): number[] {
  const between = (first: number, last: number): number[] => {
    const [dx, dy] = [0, 1].map((c) => line.at(last, c) - line.at(first, c));
    const length = Math.hypot(dx, dy) || 1;
    let farthest = first;
    let most = deviation;
    for (let row = first + 1; row < last; row++) {
      const [x, y] = [0, 1].map((c) => line.at(row, c) - line.at(first, c));
      const distance = Math.abs(x * dy - y * dx) / length;
      if (distance > most) [farthest, most] = [row, distance];
    }
    return farthest === first ? [] : [...between(first, farthest), farthest, ...between(farthest, last)];
  };
  const last = line.rows - 1;
  return [0, ...between(0, last), last];
}

/** Small multiples of drawings in the plane: curves, bands, filled regions, dots and bars, each over axes of its own. */
import * as Plot from "@observablehq/plot";
import { check } from "../errors.js";
import { logTicks } from "./log-ticks.js";
import { compose, ink, type KeyEntry, type Panel, type Picture, panel, shortTicks } from "./picture.js";

type Numbers = ArrayLike<number>;
type Place = { readonly x: Numbers; readonly y: Numbers };
/** From 0, which nobody sees, to 1. */
type Opaque = { readonly colour: string; readonly opacity?: number | undefined };

/** What can be drawn; later marks lie over earlier ones. Values that are not finite interrupt a line. */
export type Mark =
  /** A curve; `width` in pixels (default 2.5). */
  | ({ readonly kind: "line"; readonly width?: number; readonly dashed?: boolean } & Place & Opaque)
  /** `radius` in pixels (default 4); `hollow` dots are rings. */
  | ({ readonly kind: "dots"; readonly radius?: number; readonly hollow?: boolean } & Place & Opaque)
  /** A closed region, given by its edge (opacity of the filling: default 0.15). */
  | ({ readonly kind: "region" } & Place & Opaque)
  /** What lies between two curves (default opacity 0.2). */
  | ({ readonly kind: "band"; readonly x: Numbers; readonly low: Numbers; readonly high: Numbers } & Opaque)
  /** Upright bars from `low` to `high`; `width` in pixels (default 2.5). */
  | ({
      readonly kind: "bars";
      readonly x: Numbers;
      readonly low: Numbers;
      readonly high: Numbers;
      readonly width?: number;
    } & Opaque)
  | {
      readonly kind: "label";
      readonly x: number;
      readonly y: number;
      readonly text: string;
      readonly colour?: string;
      readonly anchor?: "start" | "middle" | "end";
    };

export interface PlanePanel {
  readonly title?: string | undefined;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly xDomain: readonly [number, number];
  readonly yDomain: readonly [number, number];
  /** Default linear. */
  readonly yScale?: "linear" | "log" | undefined;
  /** Default: at round numbers. */
  readonly xTicks?: readonly { readonly at: number; readonly label: string }[] | undefined;
  readonly marks: readonly Mark[];
}

export interface PanelsFigure {
  readonly rows: readonly (readonly PlanePanel[])[];
  /** Width of every frame in pixels. */
  readonly width: number;
  /** Height of every frame in pixels; `equal`: a unit of y is as long as one of x. */
  readonly height: number | "equal";
  readonly title?: string | undefined;
  readonly caption?: string | undefined;
  readonly key?: readonly KeyEntry[] | undefined;
}

const MARGIN = { top: 8, right: 14, bottom: 48, left: 66 };

/** Draws the panels row by row. Throws `usage` for an empty domain or arrays of different lengths. */
export function panelsFigure(figure: PanelsFigure): Picture {
  const rows = figure.rows.map((row) => row.map((p) => drawn(p, figure.width, figure.height)));
  return compose({ rows, title: figure.title, caption: figure.caption, key: figure.key });
}

function drawn(options: PlanePanel, width: number, height: number | "equal"): Panel {
  const { title = "", xDomain, yScale = "linear" } = options;
  // Plot leaves out labels of its own choice on a logarithmic axis, so the logarithms are drawn on a linear one.
  const toAxis = yScale === "log" ? Math.log10 : (y: number) => y;
  const yDomain = [toAxis(options.yDomain[0]), toAxis(options.yDomain[1])] as const;
  const extent = ([low, high]: readonly [number, number]) => high - low;
  check(extent(xDomain) > 0 && extent(yDomain) > 0, "usage", `panel "${title}" has an empty domain`);
  const frame = height === "equal" ? (width * extent(yDomain)) / extent(xDomain) : height;
  const ticks = (pixels: number) => Math.max(2, Math.round(pixels / 65));
  const xTicks = options.xTicks
    ? {
        ticks: options.xTicks.map(({ at }) => at),
        tickFormat: (value: number) => options.xTicks?.find(({ at }) => at === value)?.label ?? "",
      }
    : { ticks: ticks(width) };
  const yTicks =
    yScale === "log" ? logAxis(options.yDomain) : { ticks: ticks(frame), ...shortTicks(yDomain, 1e5) };
  return panel(
    {
      width: MARGIN.left + width + MARGIN.right,
      height: MARGIN.top + frame + MARGIN.bottom,
      marginTop: MARGIN.top,
      marginRight: MARGIN.right,
      marginBottom: MARGIN.bottom,
      marginLeft: MARGIN.left,
      x: { domain: xDomain, label: options.xLabel, ...xTicks },
      y: { domain: yDomain, label: options.yLabel, ...yTicks },
      marks: [
        Plot.gridX({ ticks: xTicks.ticks, stroke: ink, strokeOpacity: 0.08 }),
        Plot.gridY({ ticks: yTicks.ticks, stroke: ink, strokeOpacity: 0.08 }),
        ...options.marks.flatMap((mark) => markish(mark, title, toAxis)),
        Plot.frame({ stroke: ink }),
      ],
    },
    options.title,
  );
}

/** Plot's options of a linear axis that shows logarithms. */
function logAxis(domain: readonly [number, number]) {
  const labels = new Map(logTicks(domain).map(({ value, label }) => [Math.log10(value), label]));
  return { ticks: [...labels.keys()], tickFormat: (tick: number) => labels.get(tick) ?? "" };
}

function markish(mark: Mark, title: string, toAxis: (y: number) => number): Plot.Markish[] {
  if (mark.kind === "label") {
    const { x, y, text, colour = ink, anchor = "middle" } = mark;
    return [
      Plot.text([text], {
        x: [x],
        y: [y],
        fill: colour,
        textAnchor: anchor,
        stroke: "white",
        strokeWidth: 5,
      }),
    ];
  }
  const ys = "y" in mark ? [mark.y] : [mark.low, mark.high];
  for (const y of ys) {
    check(
      y.length === mark.x.length,
      "usage",
      `panel "${title}" has a ${mark.kind} of ${mark.x.length} x and ${y.length} y values`,
    );
  }
  const [first, second = first] = ys;
  const points = Array.from(mark.x, (x, i) => ({ x, y: toAxis(first[i]), high: toAxis(second[i]) }));
  const { colour, opacity } = mark;
  const xy = { x: "x", y: "y", clip: true } as const;
  switch (mark.kind) {
    case "line":
      return [
        Plot.line(points, {
          ...xy,
          stroke: colour,
          strokeWidth: mark.width ?? 2.5,
          strokeOpacity: opacity ?? 1,
          ...(mark.dashed ? { strokeDasharray: "7,5" } : {}),
        }),
      ];
    case "dots": {
      const paint = mark.hollow
        ? { fill: "none", stroke: colour, strokeWidth: 1.8, strokeOpacity: opacity ?? 1 }
        : { fill: colour, fillOpacity: opacity ?? 1 };
      return [Plot.dot(points, { ...xy, r: mark.radius ?? 4, ...paint })];
    }
    case "region":
      return [
        Plot.line([...points, points[0]], {
          ...xy,
          curve: "linear",
          fill: colour,
          fillOpacity: opacity ?? 0.15,
          stroke: colour,
          strokeWidth: 2,
        }),
      ];
    case "band":
      return [
        Plot.areaY(points, {
          x: "x",
          y1: "y",
          y2: "high",
          clip: true,
          fill: colour,
          fillOpacity: opacity ?? 0.2,
        }),
      ];
    case "bars":
      return [
        Plot.ruleX(points, {
          x: "x",
          y1: "y",
          y2: "high",
          clip: true,
          stroke: colour,
          strokeWidth: mark.width ?? 2.5,
          strokeOpacity: opacity ?? 1,
        }),
      ];
  }
}

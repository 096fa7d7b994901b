import * as Plot from "@observablehq/plot";
import { check } from "../errors.js";
import { logTicks } from "./log-ticks.js";
import { compose, ink, type KeyEntry, type Picture, palette, panel } from "./picture.js";
import { median, quantile, sorted } from "./quantile.js";

export interface Series {
  /** Series of one name share a colour and a legend entry (per-step values and their `smooth`ed line). */
  readonly name: string;
  /** Ascending. */
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  /** `line` (default), `faint` for many noisy values, `dots` for a few measurements. */
  readonly style?: "line" | "faint" | "dots" | undefined;
}

export interface CurveFigure {
  readonly series: readonly Series[];
  readonly xLabel: string;
  readonly yLabel: string;
  readonly title?: string | undefined;
  readonly caption?: string | undefined;
  /** Dashed horizontal lines, labelled at their right end. */
  readonly rules?: readonly { readonly y: number; readonly label: string }[] | undefined;
  /** Default: all values and rules; beside a faint series without its outliers and the first 5% of x. */
  readonly yDomain?: readonly [number, number] | undefined;
  readonly xScale?: Scale | undefined;
  readonly yScale?: Scale | undefined;
}

type Scale = "linear" | "log";
type Point = { readonly x: number; readonly y: number };

const WIDTH = 860;
const HEIGHT = 440;
const MARGINS = { marginTop: 10, marginRight: 20, marginBottom: 48, marginLeft: 76 };
const LABEL_HEIGHT = 19;

/**
 * Curves over one pair of axes, with a legend where there are several names. Values that are not finite,
 * or not positive on a log scale, are left out. Throws `usage` where a series has nothing to draw.
 */
export function curveFigure(figure: CurveFigure): Picture {
  const { xLabel, yLabel, title, caption, xScale = "linear", yScale = "linear" } = figure;
  check(figure.series.length > 0, "usage", "a curve figure needs at least one series");
  const names = [...new Set(figure.series.map((s) => s.name))];
  const colourOf = (name: string) => palette[names.indexOf(name) % palette.length];
  const series = figure.series.map(({ name, style = "line", x, y }) => {
    check(x.length === y.length, "usage", `series "${name}" has ${x.length} x and ${y.length} y values`);
    const points = drawable(x, y, xScale, yScale);
    check(points.length > 0, "usage", `series "${name}" has no values that can be drawn`);
    return { name, style, points, colour: colourOf(name) };
  });

  const yDomain = figure.yDomain ?? domainOf(series, figure.rules ?? [], xScale, yScale);
  const xs = series.flatMap(({ points }) => points.map(({ x }) => x));
  const xDomain = [xs.reduce((a, b) => Math.min(a, b)), xs.reduce((a, b) => Math.max(a, b))] as const;
  const inside = ({ y }: { y: number }) => y >= yDomain[0] && y <= yDomain[1];
  const rules = (figure.rules ?? []).filter(inside);
  const marks: Plot.Markish[] = [Plot.gridY({ ticks: 6, stroke: ink, strokeOpacity: 0.12 })];
  const order = { faint: 0, line: 1, dots: 2 };
  for (const { style, points, colour } of [...series].sort((a, b) => order[a.style] - order[b.style])) {
    const xy = { x: "x", y: "y", clip: style !== "dots" } as const;
    if (style === "faint")
      marks.push(
        Plot.line(envelope(points, xScale), { ...xy, stroke: colour, strokeWidth: 1, strokeOpacity: 0.3 }),
      );
    else if (style === "line") marks.push(Plot.line(points, { ...xy, stroke: colour, strokeWidth: 2.5 }));
    else marks.push(Plot.dot(points.filter(inside), { ...xy, fill: colour, stroke: "white", r: 5 }));
  }
  marks.push(
    ...rules.map((rule) => Plot.ruleY([rule.y], { stroke: ink, strokeWidth: 1.5, strokeDasharray: "7,5" })),
  );
  marks.push(...labelsOf(rules, yDomain, yScale), Plot.frame({ stroke: ink }));

  const drawn = panel({
    ...MARGINS,
    width: WIDTH,
    height: HEIGHT,
    x: { label: xLabel, ...scaleOf(xScale, xDomain, 7) },
    y: { label: yLabel, domain: yDomain, ...scaleOf(yScale, yDomain, 6) },
    marks,
  });
  const key = names.map((name): KeyEntry => {
    const dots = series.every((s) => s.name !== name || s.style === "dots");
    return { name, colour: colourOf(name), mark: dots ? "dot" : "line" };
  });
  return compose({ rows: [[drawn]], title, caption, key: key.length > 1 ? key : [] });
}

/** Plot would write 0.1 as 100m on a logarithmic axis. */
function scaleOf(type: Scale, domain: readonly [number, number], ticks: number): Plot.ScaleOptions {
  if (type === "linear") return { ticks };
  // Of 5, 50 and 500, which Plot leaves without labels, the ticks remain.
  const labels = new Map(logTicks(domain).map(({ value, label }) => [value, label]));
  return { type, ticks: [...labels.keys()], tickFormat: (tick: number) => labels.get(tick) ?? "" };
}

/** Running median: the medians of y in `bins` equal parts of the x axis; ascending x, empty parts left out. */
export function smooth(
  { x, y }: Pick<Series, "x" | "y">,
  bins = 150,
  xScale: Scale = "linear",
): { x: number[]; y: number[] } {
  const parts = split(drawable(x, y, xScale, "linear"), bins, xScale);
  return {
    x: parts.map((part) => part.reduce((sum, p) => sum + p.x, 0) / part.length),
    y: parts.map((part) => median(part.map((p) => p.y))),
  };
}

function drawable(x: ArrayLike<number>, y: ArrayLike<number>, xScale: Scale, yScale: Scale): Point[] {
  const shown = (value: number, scale: Scale) => Number.isFinite(value) && (scale === "linear" || value > 0);
  return Array.from(x, (value, i) => ({ x: value, y: y[i] })).filter(
    (point) => shown(point.x, xScale) && shown(point.y, yScale),
  );
}

/** The least and greatest point of each pixel's width: looks like all points, at a fraction of the size. */
function envelope(points: readonly Point[], xScale: Scale): Point[] {
  return split(points, WIDTH, xScale).flatMap((part) => {
    const least = part.reduce((a, b) => (b.y < a.y ? b : a));
    const greatest = part.reduce((a, b) => (b.y > a.y ? b : a));
    if (least === greatest) return [least];
    return least.x < greatest.x ? [least, greatest] : [greatest, least];
  });
}

/** Points of ascending x in `parts` equal stretches of the axis, without the empty ones. */
function split(points: readonly Point[], parts: number, xScale: Scale): Point[][] {
  const position = xScale === "log" ? Math.log : (x: number) => x;
  const start = position(points[0]?.x ?? 0);
  const length = position(points[points.length - 1]?.x ?? 0) - start || 1;
  const groups = Array.from({ length: parts }, (): Point[] => []);
  for (const p of points)
    groups[Math.min(parts - 1, Math.floor((parts * (position(p.x) - start)) / length))].push(p);
  return groups.filter((group) => group.length > 0);
}

function domainOf(
  series: readonly { readonly style: string; readonly points: readonly Point[] }[],
  rules: readonly { readonly y: number }[],
  xScale: Scale,
  yScale: Scale,
): [number, number] {
  // A loss starts huge and has outliers: the range follows what comes after the first steps.
  const noisy = series.some((s) => s.style === "faint");
  const xs = sorted(series.flatMap((s) => s.points.map((p) => p.x)));
  const first = xs[0];
  const start = noisy && xScale === "linear" ? first + 0.05 * (xs[xs.length - 1] - first) : first;
  const ends = series.flatMap(({ style, points }) => {
    const later = sorted(points.filter((p) => p.x >= start).map((p) => p.y));
    const tail = style === "faint" ? 0.005 : 0;
    return [quantile(later, tail), quantile(later, 1 - tail)];
  });
  const [to, from] = yScale === "log" ? [Math.log, Math.exp] : [Number, Number];
  const all = [...ends, ...rules.map((r) => r.y)].map(to).filter(Number.isFinite);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const room = high - low || 1;
  // The labels of rules stand under them.
  return [from(low - room * (0.04 + 0.05 * rules.length)), from(high + 0.05 * room)];
}

/** Rule labels under their lines (of several, the highest over it), pushed apart where they would overlap. */
function labelsOf(
  rules: readonly { readonly y: number; readonly label: string }[],
  domain: readonly [number, number],
  yScale: Scale,
): Plot.Markish[] {
  const position = yScale === "log" ? Math.log : (y: number) => y;
  const [low, high] = domain.map(position);
  const height = HEIGHT - MARGINS.marginTop - MARGINS.marginBottom;
  let free = Number.NEGATIVE_INFINITY;
  return rules
    .map((rule) => ({ ...rule, pixel: (height * (high - position(rule.y))) / (high - low) }))
    .sort((a, b) => a.pixel - b.pixel)
    .map(({ label, y, pixel }, i) => {
      const top = Math.max(free, i === 0 && rules.length > 1 ? pixel - LABEL_HEIGHT - 2 : pixel + 4);
      free = top + LABEL_HEIGHT;
      return Plot.text([label], {
        y: [y],
        frameAnchor: "right",
        textAnchor: "end",
        lineAnchor: "top",
        dx: -8,
        dy: top - pixel,
        fill: ink,
        stroke: "white",
        strokeWidth: 5,
      });
    });
}

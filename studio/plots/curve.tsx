import { line } from "d3-shape";
import type { Scales } from "./plot.js";

interface CurveProps {
  scales: Scales;
  /** Points in the units of the axes; where one is not finite the curve is interrupted. */
  points: readonly (readonly [number, number])[];
  /** A class of style.css that colours it: `series-1` to `series-6`, `faint`, `rule`. */
  class?: string;
}

/** A line through points, for the SVG of a plot. */
export function Curve({ scales: { x, y }, points, class: kind = "series-1" }: CurveProps) {
  const path = line<readonly [number, number]>()
    .defined(([a, b]) => Number.isFinite(x(a)) && Number.isFinite(y(b)))
    .x(([a]) => x(a))
    .y(([, b]) => y(b));
  return <path class={`curve ${kind}`} d={path(points) ?? ""} />;
}

/** `count` points of the graph of a function between two ends. */
export function graphOf(
  f: (x: number) => number,
  [from, to]: readonly [number, number],
  count = 401,
): [number, number][] {
  return Array.from({ length: count }, (_, i) => {
    const x = from + ((to - from) * i) / (count - 1);
    return [x, f(x)];
  });
}

/** Where an axis has its ticks, and what they are called: with all digits, or as powers of ten. */
import { scaleLinear } from "d3-scale";
import { logTicks, type Tick } from "../library.js";

export type { Tick };

/** About `count` ticks between the ends of an axis. */
export function ticksOf(ends: readonly [number, number], logarithmic: boolean, count: number): Tick[] {
  if (logarithmic) return logTicks(ends, count);
  const scale = scaleLinear().domain(ends);
  const format = scale.tickFormat(count);
  return scale.ticks(count).map((value) => ({ value, label: format(value).replace("-", "−") }));
}

/** About one in so many pixels. */
export const ticksOn = (length: number, pixels: number) =>
  Math.max(2, Math.min(8, Math.round(length / pixels)));

/** No digit or sign of the fonts of style.css is wider, in pixels. */
const DIGIT = 7.7;

/** How much room the widest label needs. */
export const widest = (ticks: readonly Tick[]) =>
  DIGIT * Math.max(0, ...ticks.map(({ label }) => label.length));

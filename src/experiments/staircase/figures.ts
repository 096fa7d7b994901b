/** The pictures of the 1-D fitting experiment. */
import { staircase, staircaseInterval, staircaseSlope } from "../../data/staircase.js";
import { type Mark, type Picture, palette, panelsFigure, smooth } from "../../plots/index.js";
import type { Metrics } from "../../runs/run.js";
import type { Measures } from "./measure.js";

export interface Fitted {
  readonly title: string;
  readonly measures: Measures;
  readonly metrics: readonly Metrics[];
}

const GREY = "#9a9a9a";
/** Every so many points of the grid are drawn. */
const STRIDE = 5;
const FRAME = { width: 400, height: 290 };

const thinned = (values: Float64Array) => values.filter((_, i) => i % STRIDE === 0);
/** Pairs in rows of two. */
const inTwos = <T>(items: readonly T[]): T[][] =>
  items.flatMap((_, i) => (i % 2 === 0 ? [items.slice(i, i + 2)] : []));

/** Each fit over the staircase. */
export function fitsPicture(fits: readonly Fitted[]): Picture {
  const panels = fits.map(({ title, measures }, i) => {
    const x = thinned(measures.x);
    const target: Mark = { kind: "line", x, y: x.map(staircase), colour: GREY, width: 6, opacity: 0.6 };
    const fit: Mark = { kind: "line", x, y: thinned(measures.value), colour: palette[i] };
    return {
      title: `${title}: MSE ${measures.meanSquaredError.toPrecision(2)}`,
      xLabel: "x",
      yLabel: "F(x)",
      xDomain: staircaseInterval,
      yDomain: [-0.3, 4.3] as const,
      marks: [target, fit],
    };
  });
  return panelsFigure({
    rows: inTwos(panels),
    ...FRAME,
    key: [{ name: "staircase", colour: GREY, mark: "line" }],
  });
}

/** The slope of each fit along x, and the bounds on it. */
export function slopesPicture(fits: readonly Fitted[]): Picture {
  const bounds = fits.flatMap(({ measures }) => [...measures.attainable, ...measures.slopes]);
  const yDomain = [Math.min(0.02, ...bounds) / 1.6, Math.max(50, ...bounds) * 1.6] as const;
  const panels = fits.map(({ title, measures }, i) => {
    const x = thinned(measures.x);
    const level = (y: number): Mark => {
      return { kind: "line", x: staircaseInterval, y: [y, y], colour: palette[i], dashed: true, width: 2 };
    };
    const target: Mark = { kind: "line", x, y: x.map(staircaseSlope), colour: GREY, width: 5, opacity: 0.6 };
    const slope: Mark = { kind: "line", x, y: thinned(measures.slope), colour: palette[i], width: 1.8 };
    return {
      title,
      xLabel: "x",
      yLabel: "dF/dx",
      xDomain: staircaseInterval,
      yDomain,
      yScale: "log" as const,
      marks: [target, slope, ...measures.attainable.map(level)],
    };
  });
  return panelsFigure({
    rows: inTwos(panels),
    ...FRAME,
    key: [{ name: "staircase", colour: GREY, mark: "line" }],
  });
}

/** The training losses over the steps, with their running medians. */
export function lossPicture(fits: readonly Fitted[]): Picture {
  const marks = fits.flatMap(({ metrics }, i): Mark[] => {
    const loss = { x: metrics.map(({ step }) => step), y: metrics.map(({ loss }) => loss) };
    const colour = palette[i];
    return [
      { kind: "line", ...loss, colour, width: 1, opacity: 0.3 },
      { kind: "line", ...smooth(loss), colour },
    ];
  });
  const losses = fits.flatMap(({ metrics }) => metrics.map(({ loss }) => loss));
  const steps = Math.max(...fits.map(({ metrics }) => metrics[metrics.length - 1].step));
  return panelsFigure({
    rows: [
      [
        {
          xLabel: "training step",
          yLabel: "mean squared error of a batch",
          xDomain: [0, steps],
          // The first steps are far above all others.
          yDomain: [Math.min(...losses) / 1.2, 0.12],
          yScale: "log",
          marks,
        },
      ],
    ],
    width: 2 * FRAME.width,
    height: 380,
    key: fits.map(({ title }, i) => ({ name: title, colour: palette[i], mark: "line" })),
  });
}

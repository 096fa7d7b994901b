/** Leads as dots, one a training seed, with bars of two standard errors around their means. */
import { type Mark, type Picture, palette, panelsFigure } from "../../plots/index.js";
import { CLEAR } from "../estimate.js";
import { type Contrast, leadOf } from "./tables.js";

const [BLUE, ORANGE] = palette;

/** `labels`: of the contrasts, in their order. */
export function leadsPicture(
  contrasts: readonly Contrast[],
  labels: readonly string[],
  unit: string,
): Picture {
  const places = contrasts.map((_, i) => i);
  const leads = contrasts.map(leadOf);
  const low = leads.map(({ value, standardError }) => value - CLEAR * standardError);
  const high = leads.map(({ value, standardError }) => value + CLEAR * standardError);
  const seeds = contrasts.flatMap(({ leads }, i) => leads.map((y, s) => ({ x: i + 0.12 * (s + 1), y })));
  const all = [0, ...low, ...high, ...seeds.map(({ y }) => y)].filter(Number.isFinite);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const longest = Math.max(...labels.map((label) => label.length));
  const margin = 0.06 * (most - least) || 0.1;
  const xDomain = [-0.5, contrasts.length - 0.3] as const;
  const marks: Mark[] = [
    { kind: "line", x: xDomain, y: [0, 0], colour: "#888888", width: 1.5, dashed: true },
    { kind: "bars", x: places, low, high, colour: BLUE, width: 4 },
    { kind: "dots", x: places, y: leads.map(({ value }) => value), colour: BLUE, radius: 5 },
    { kind: "dots", x: seeds.map(({ x }) => x), y: seeds.map(({ y }) => y), colour: ORANGE, radius: 3.5 },
  ];
  return panelsFigure({
    rows: [
      [
        {
          xLabel: "",
          yLabel: `lead in ${unit}`,
          xDomain,
          yDomain: [least - margin, most + margin],
          xTicks: labels.map((label, at) => ({ at, label })),
          marks,
        },
      ],
    ],
    // Labels stand side by side.
    width: Math.max(480, Math.max(110, 9 * longest) * contrasts.length),
    height: 300,
    key: [
      { name: "mean, ± 2 standard errors", colour: BLUE, mark: "dot" },
      { name: "each training seed", colour: ORANGE, mark: "dot" },
    ],
  });
}

/** The report of the 1-D fitting experiment. */
import type { Item, Report } from "../../reports/report.js";
import { leastBy } from "../estimate.js";
import { type Fitted, fitsPicture, lossPicture, slopesPicture } from "./figures.js";
import type { Range } from "./measure.js";

/** A trained flow: its fit, and its size. */
export interface Result extends Fitted {
  readonly parameters: number;
}

/** `factor`: how many times lower the error of the last result, two monotone blocks, must be than the least of the others. */
export function reportOf(results: readonly Result[], factor: number, isQuick: boolean): Report {
  const monotone = results[results.length - 1];
  const others = results.slice(0, -1);
  const best = leastBy(others, ({ measures }) => measures.meanSquaredError);
  const ratio = best.measures.meanSquaredError / monotone.measures.meanSquaredError;
  const comparison = `${digits(monotone.measures.meanSquaredError)} against ${digits(best.measures.meanSquaredError)} of ${best.title}, a factor of ${digits(ratio)}`;
  return {
    title: "1-D fitting: who follows a staircase?",
    summary:
      "Four flows of two networks each are fitted by least squares to a staircase on [-2, 2] whose slopes are 1/20 and 20. " +
      `Two monotone blocks end with the mean squared error ${comparison}.` +
      (isQuick ? " This is the quick version: narrower networks, smaller batches and fewer steps." : ""),
    sections: [
      {
        title: "The fits",
        items: [
          figure("fits", fitsPicture(results), "Each fit (coloured) over the staircase (grey)."),
          errorTable(results),
          {
            kind: "check",
            claim: `two monotone blocks end at least ${factor} times lower in mean squared error than the best of the others`,
            holds: ratio >= factor,
            detail: comparison,
          },
        ],
      },
      {
        title: "The slopes",
        items: [
          {
            kind: "text",
            text:
              "A residual block has slopes between 1 - L and 1 + L, an inverse residual block between 1/(1 + L) and 1/(1 - L), " +
              "a monotone block between (1 - L)/(1 + L) and (1 + L)/(1 - L); L is the Lipschitz constant of its network. " +
              "Those of a chain multiply, and actnorm scales them all. The staircase needs slopes 400 times apart.",
          },
          figure(
            "slopes",
            slopesPicture(results),
            "The slope of each fit along x (coloured) and of the staircase (grey). Dashed: the bounds on the slopes by the certified Lipschitz constants of the trained networks.",
          ),
          ...results.map(slopeCheck),
        ],
      },
      {
        title: "Training",
        items: [
          {
            kind: "text",
            text: "What differs from the original study's code, and why, is in docs/presets.md of the package.",
          },
          figure("loss", lossPicture(results), "The loss over the steps, and its running median."),
          costTable(results),
        ],
      },
    ],
    facts: [],
  };
}

const figure = (name: string, picture: ReturnType<typeof fitsPicture>, caption: string): Item => {
  return { kind: "figure", name, picture, caption };
};

function errorTable(results: readonly Result[]): Item {
  return {
    kind: "table",
    columns: ["flow", "mean squared error", "largest error", "slopes", "attainable slopes"],
    rows: results.map(({ title, measures }) => [
      title,
      digits(measures.meanSquaredError),
      digits(measures.largestError),
      range(measures.slopes),
      range(measures.attainable),
    ]),
    caption:
      "Errors on 20,000 even points of [-2, 2], and slopes there. Attainable: the bounds on the slopes by the certified Lipschitz constants of the trained networks.",
  };
}

function costTable(results: readonly Result[]): Item {
  return {
    kind: "table",
    columns: ["flow", "parameters", "steps", "evaluations a solve"],
    rows: results.map(({ title, parameters, metrics }) => [
      title,
      parameters.toLocaleString("en"),
      (metrics.at(-1)?.step ?? 0).toLocaleString("en"),
      solves(metrics),
    ]),
    caption:
      "Each flow is trained on one thread. Evaluations of a network in one solve: at the start and at the end of training.",
  };
}

/** Network evaluations a solve, in the first and in the last line of metrics; residual blocks solve nothing. */
function solves(metrics: Fitted["metrics"]): string {
  const [first, last] = [metrics[0], metrics[metrics.length - 1]].map(({ evaluations }) => evaluations);
  return first === 0 ? "none" : `${first.toFixed(1)}, ${last.toFixed(1)}`;
}

/** float32 leaves this much of a slope to rounding. */
const SLACK = 1e-3;

function slopeCheck({ title, measures }: Result): Item {
  const { slopes, attainable } = measures;
  return {
    kind: "check",
    claim: `the slopes of ${title} keep to their bounds`,
    holds: slopes[0] >= attainable[0] * (1 - SLACK) && slopes[1] <= attainable[1] * (1 + SLACK),
    detail: `${range(slopes)} in ${range(attainable)}`,
  };
}

const digits = (value: number) => value.toPrecision(3);
const range = ([low, high]: Range) => `${digits(low)} to ${digits(high)}`;

/**
 * The counterexample: G(x) = 5x has Lip(G) = 5, and x + G(x) = 6x is invertible. A contraction G is sufficient for
 * the invertibility of Id + G, but not necessary; strong monotonicity of Id + G is enough.
 */
import { palette, panelsFigure } from "../../plots/index.js";
import { grid } from "./grid.js";
import { fixedPointGuesses, linearResidual } from "./linear-residual.js";
import { part } from "./part.js";

const SLOPE = 5;
const { g, f, inverse } = linearResidual(SLOPE);

const END = 3;
const POINTS = 601;
/** Where the fixed point iteration x <- y - G(x), which inverts Id + G for a contraction, is tried. */
const TRIAL = { y: 1, steps: 6 };

interface Data {
  readonly x: number[];
  readonly slopesOfG: [number, number];
  readonly slopesOfF: [number, number];
  readonly roundTrip: number;
  /** Distance from the solution after each step of the fixed point iteration, from x = y on. */
  readonly distances: number[];
}

/** The least and the greatest slope between neighbours. */
function slopes(map: (x: number) => number, x: readonly number[]): [number, number] {
  const quotients = x.slice(1).map((right, i) => (map(right) - map(x[i])) / (right - x[i]));
  return [Math.min(...quotients), Math.max(...quotients)];
}

export const counterexample = part<Data>({
  name: "counterexample",
  settings: () => ({ slope: SLOPE }),
  async compute() {
    const x = grid(-END, END, POINTS);
    const guesses = fixedPointGuesses(SLOPE, TRIAL.y, TRIAL.steps);
    const distances = guesses.map((guess) => Math.abs(guess - inverse(TRIAL.y)));
    return {
      x,
      slopesOfG: slopes(g, x),
      slopesOfF: slopes(f, x),
      roundTrip: Math.max(...x.map((value) => Math.abs(inverse(f(value)) - value))),
      distances,
    };
  },
  section({ x, slopesOfG, slopesOfF, roundTrip, distances }) {
    const [blue, orange, green] = palette;
    const line = (map: (value: number) => number, colour: string, dashed = false) =>
      ({ kind: "line", x, y: x.map(map), colour, dashed, width: 3 }) as const;
    const picture = panelsFigure({
      rows: [
        [
          {
            xLabel: "x",
            yLabel: "value",
            xDomain: [-END, END],
            yDomain: [-END, END],
            marks: [
              { kind: "line", x, y: x, colour: "#888888", width: 1.5, dashed: true },
              line(g, orange),
              line(f, blue),
              line(inverse, green),
            ],
          },
        ],
      ],
      width: 460,
      height: "equal",
      key: [
        { name: "G(x) = 5x", colour: orange, mark: "line" },
        { name: "x + G(x) = 6x", colour: blue, mark: "line" },
        { name: "its inverse x/6", colour: green, mark: "line" },
      ],
    });
    return {
      title: "The counterexample: an expansive G and an invertible x + G(x)",
      items: [
        {
          kind: "text",
          text:
            "Residual flows ask for Lip(G) < 1, which makes x + G(x) invertible. It is sufficient and not necessary: " +
            "G(x) = 5x expands by a factor of five, and yet x + G(x) = 6x has the inverse x/6. What a map needs for an " +
            "inverse is strong monotonicity, and monotone flows are built on it.",
        },
        {
          kind: "figure",
          name: "counterexample",
          picture,
          caption:
            "G(x) = 5x, the residual map x + G(x) = 6x, and its inverse, the mirror image at the dashed diagonal.",
        },
        {
          kind: "check",
          claim: "G(x) = 5x is expansive, and x + G(x) is strongly monotone and invertible",
          holds: slopesOfG[0] > 1 && slopesOfF[0] > 1 && roundTrip < 1e-12,
          detail:
            `Lip(G) = ${slopesOfG[1].toFixed(3)}; slopes of x + G(x) from ${slopesOfF[0].toFixed(3)} to ` +
            `${slopesOfF[1].toFixed(3)}; largest error of x to 6x and back ${roundTrip.toExponential(1)}`,
        },
        {
          kind: "check",
          claim: "the fixed point iteration x ← y − G(x) of residual flows fails where G is no contraction",
          holds: distances.every((d, i) => i === 0 || d > 4.99 * distances[i - 1]),
          detail: `distance from the solution of x + G(x) = 1 after 0, 1, 2, ... steps: ${distances.map((d) => (d < 100 ? d.toPrecision(3) : d.toFixed(0))).join(", ")}`,
        },
      ],
    };
  },
});

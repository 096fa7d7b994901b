/**
 * Strong monotonicity in one dimension. For Lip(G) = L the slopes lie in
 *   residual          [1 - L, 1 + L],
 *   inverse residual  [1 / (1 + L), 1 / (1 - L)],
 *   monotone          [(1 - L) / (1 + L), (1 + L) / (1 - L)].
 */
import { slopeBounds as BOUNDS } from "../../bijections/slopes.js";
import type { Formulation } from "../../flows/monotone-flow.js";
import { Purpose, Random } from "../../model/random.js";
import { type Mark, type PlanePanel, palette, panelsFigure } from "../../plots/index.js";
import { Table } from "../../table.js";
import { grid } from "./grid.js";
import { formulations, LipschitzMap } from "./lipschitz-map.js";
import { part } from "./part.js";
import { type Aim, aims, drawn, pull, RATE, trainedFor } from "./slope-networks.js";

const FORMULAS: Record<Formulation, string> = {
  residual: "residual: 1 − L to 1 + L",
  "inverse-residual": "inverse residual: 1/(1+L) to 1/(1−L)",
  monotone: "monotone: (1−L)/(1+L) to (1+L)/(1−L)",
};
const TITLES: Record<Formulation, string> = {
  residual: "residual",
  "inverse-residual": "inverse residual",
  monotone: "monotone",
};

type Kind = Aim | "random";

/** The Lipschitz bound whose functions are drawn. */
const SHOWN = 0.8;
const END = 3;
const POINTS = 241;
/** Random networks that are drawn. */
const DRAWN = 12;
/** Rounding of slopes and difference quotients in float64. */
const ROUNDING = 1e-9;

const amounts = (quick: boolean) => ({
  lipschitz: quick ? [0.4, SHOWN, 0.98] : [0.2, 0.4, 0.6, SHOWN, 0.9, 0.98],
  randomNetworks: quick ? 12 : 100,
  trainingSteps: quick ? 250 : 1000,
  trainingPoints: 41,
});

interface Curve {
  readonly kind: Kind;
  readonly y: number[];
  readonly slope: number[];
}

interface Measured {
  readonly formulation: Formulation;
  readonly lipschitz: number;
  readonly kind: Kind;
  /** The least and greatest slope: the derivative on a grid, and the difference quotients between its points. */
  readonly least: number;
  readonly greatest: number;
  /** The certified bound on Lip(G). */
  readonly certified: number;
}

interface Data {
  readonly x: number[];
  readonly curves: Record<Formulation, Curve[]>;
  readonly measured: Measured[];
}

async function measure(
  map: LipschitzMap,
  formulation: Formulation,
  kind: Kind,
  lipschitz: number,
  x: number[],
) {
  const { out, logDet } = await map.forward(formulation, new Table(x.length, 1, Float64Array.from(x)));
  const y = Array.from(out.values);
  const slope = Array.from(logDet, Math.exp);
  const quotients = x.slice(1).map((right, i) => (y[i + 1] - y[i]) / (right - x[i]));
  const curve: Curve = { kind, y, slope };
  const measured: Measured = {
    formulation,
    lipschitz,
    kind,
    least: Math.min(...slope, ...quotients),
    greatest: Math.max(...slope, ...quotients),
    certified: map.lipschitzBound,
  };
  return { curve, measured };
}

/** A network trained through the log-determinant, which in one dimension is the logarithm of the slope. */
async function trained(
  lipschitz: number,
  formulation: Formulation,
  aim: Aim,
  steps: number,
  points: number,
  random: Random,
): Promise<LipschitzMap> {
  const x = grid(-END, END, points);
  return LipschitzMap.optimised(trainedFor(aim, lipschitz, POINTS), random, {
    formulation,
    x: new Table(points, 1, Float64Array.from(x)),
    steps,
    rate: RATE,
    loss: () => pull(aim, x),
  });
}

export const slopes = part<Data>({
  name: "slopes",
  settings: amounts,
  async compute({ quick, seed, progress }) {
    const { lipschitz, randomNetworks, trainingSteps, trainingPoints } = amounts(quick);
    const x = grid(-END, END, POINTS);
    const curves: Record<Formulation, Curve[]> = { residual: [], "inverse-residual": [], monotone: [] };
    const measured: Measured[] = [];
    const note = async (map: LipschitzMap, formulation: Formulation, kind: Kind, L: number) => {
      const result = await measure(map, formulation, kind, L, x);
      measured.push(result.measured);
      const shown = curves[formulation];
      const room = kind !== "random" || shown.filter((c) => c.kind === kind).length < DRAWN;
      if (L === SHOWN && room) shown.push(result.curve);
    };
    let stream = 0;
    const random = () => new Random(seed, Purpose.initialisation, stream++);
    for (const L of lipschitz) {
      progress(`slopes: networks with Lip(G) at most ${L}`);
      for (let n = 0; n < randomNetworks; n++) {
        const map = new LipschitzMap(drawn(n, L, POINTS), random());
        for (const formulation of formulations) await note(map, formulation, "random", L);
      }
      for (const formulation of formulations) {
        for (const aim of aims) {
          const map = await trained(L, formulation, aim, trainingSteps, trainingPoints, random());
          await note(map, formulation, aim, L);
        }
      }
    }
    return { x, curves, measured };
  },

  section({ x, curves, measured }) {
    const inside = measured.filter(({ formulation, lipschitz, least, greatest }) => {
      const [low, high] = BOUNDS[formulation](lipschitz);
      return least >= low * (1 - ROUNDING) && greatest <= high * (1 + ROUNDING);
    });
    const certified = measured.filter((m) => m.certified <= m.lipschitz).length;
    const groups = groupsOf(measured);
    const reach = groups.map(({ formulation, lipschitz, least, greatest }) => {
      const [low, high] = BOUNDS[formulation](lipschitz);
      return Math.min(Math.log(least) / Math.log(low), Math.log(greatest) / Math.log(high));
    });
    return {
      title: "Strong monotonicity: the range of slopes in one dimension",
      items: [
        {
          kind: "text",
          text:
            "Every block with Lip(G) ≤ L is strongly monotone: its slopes are bounded away from zero and from infinity. " +
            "Residual blocks cannot be steep and inverse residual blocks cannot be flat; a monotone block with the same G " +
            "can be both. Random networks (three activations, large weights) and trained ones are measured: a trained " +
            "network maximises or minimises the logarithm of the slope, which is the log-determinant in one dimension, " +
            "around 0 or on alternating intervals.",
        },
        {
          kind: "figure",
          name: "slope-bounds",
          picture: boundsPicture(groups),
          caption:
            "Allowed slopes over the Lipschitz bound L (shaded), with the slopes measured on random networks and on " +
            "networks trained to reach the ends. The grey line is the slope 1 of the identity.",
        },
        {
          kind: "figure",
          name: "slope-functions",
          picture: functionsPicture(x, curves),
          caption:
            `Functions with L = ${SHOWN} (above, shifted to F(0) = 0, inside the cone that the bounds allow) and their ` +
            "slopes along x (below, between the dashed bounds): random networks, and networks trained to be steepest " +
            "around 0, flattest around 0, and both by turns.",
        },
        {
          kind: "table",
          columns: ["formulation", "L", "lower bound", "least slope", "greatest slope", "upper bound"],
          rows: groups.map(({ formulation, lipschitz, least, greatest }) => {
            const [low, high] = BOUNDS[formulation](lipschitz);
            return [
              TITLES[formulation],
              lipschitz.toFixed(2),
              ...[low, least, greatest, high].map((s) => s.toFixed(4)),
            ];
          }),
          caption: "Slopes of all networks, random and trained, beside the bounds.",
        },
        {
          kind: "check",
          claim: "every measured slope lies inside the bounds of its formulation",
          holds: inside.length === measured.length && certified === measured.length,
          detail:
            `${inside.length} of ${measured.length} functions inside; ${certified} of ${measured.length} networks ` +
            "with a certified Lipschitz constant of at most L",
        },
        {
          kind: "check",
          claim: "the bounds are tight: trained networks reach both ends",
          holds: Math.min(...reach) > 0.97,
          detail: `at least ${(100 * Math.min(...reach)).toFixed(1)} % of the way from slope 1 to every bound, in logarithms`,
        },
      ],
    };
  },
});

interface Group {
  readonly formulation: Formulation;
  readonly lipschitz: number;
  readonly least: number;
  readonly greatest: number;
  readonly random: readonly [number, number];
}

/** The extremes over all networks of one formulation and one L. */
function groupsOf(measured: readonly Measured[]): Group[] {
  return formulations.flatMap((formulation) => {
    const own = measured.filter((m) => m.formulation === formulation);
    return [...new Set(own.map((m) => m.lipschitz))].map((lipschitz) => {
      const extremes = (networks: readonly Measured[]) =>
        [Math.min(...networks.map((m) => m.least)), Math.max(...networks.map((m) => m.greatest))] as const;
      const all = own.filter((m) => m.lipschitz === lipschitz);
      const [least, greatest] = extremes(all);
      const random = extremes(all.filter((m) => m.kind === "random"));
      return { formulation, lipschitz, least, greatest, random };
    });
  });
}

const GREY = "#888888";
const [RANDOM, STEEP, FLAT, SMOOTH] = [palette[5], palette[1], palette[2], palette[0]];
const COLOURS: Record<Kind, string> = {
  random: RANDOM,
  steepest: STEEP,
  flattest: FLAT,
  alternating: SMOOTH,
};

function boundsPicture(groups: readonly Group[]) {
  const L = grid(0, 0.985, 198);
  const panels = formulations.map((formulation): PlanePanel => {
    const own = groups.filter((g) => g.formulation === formulation);
    const bounds = L.map(BOUNDS[formulation]);
    const [low, high] = [bounds.map(([b]) => b), bounds.map(([, b]) => b)];
    const at = own.map((g) => g.lipschitz);
    return {
      title: FORMULAS[formulation],
      xLabel: "Lipschitz bound L",
      yLabel: "slope",
      xDomain: [0, 1],
      yDomain: [0.008, 125],
      yScale: "log",
      marks: [
        { kind: "band", x: L, low, high, colour: GREY, opacity: 0.22 },
        { kind: "line", x: [0, 1], y: [1, 1], colour: GREY, width: 1.2 },
        { kind: "line", x: L, y: low, colour: GREY, width: 1.8 },
        { kind: "line", x: L, y: high, colour: GREY, width: 1.8 },
        {
          kind: "bars",
          x: at,
          low: own.map((g) => g.random[0]),
          high: own.map((g) => g.random[1]),
          colour: RANDOM,
          width: 11,
        },
        { kind: "dots", x: at, y: own.map((g) => g.greatest), colour: STEEP, radius: 4.5 },
        { kind: "dots", x: at, y: own.map((g) => g.least), colour: FLAT, radius: 4.5 },
      ],
    };
  });
  return panelsFigure({
    rows: [panels],
    width: 270,
    height: 320,
    key: [
      { name: "allowed", colour: GREY, mark: "area" },
      { name: "random networks", colour: RANDOM, mark: "area" },
      { name: "trained to be steep", colour: STEEP, mark: "dot" },
      { name: "trained to be flat", colour: FLAT, mark: "dot" },
    ],
  });
}

function functionsPicture(x: number[], curves: Record<Formulation, Curve[]>) {
  const order: Kind[] = ["random", "flattest", "steepest", "alternating"];
  const middle = (x.length - 1) / 2;
  const linesOf = (formulation: Formulation, value: (curve: Curve) => number[]): Mark[] =>
    order.flatMap((kind) =>
      curves[formulation]
        .filter((curve) => curve.kind === kind)
        .map((curve) => ({
          kind: "line",
          x,
          y: value(curve),
          colour: COLOURS[kind],
          width: kind === "random" ? 1.3 : 2.8,
        })),
    );
  const graphs = formulations.map((formulation): PlanePanel => {
    const [low, high] = BOUNDS[formulation](SHOWN);
    return {
      title: TITLES[formulation],
      xLabel: "x",
      yLabel: "F(x) − F(0)",
      xDomain: [-END, END],
      yDomain: [-5, 5],
      marks: [
        {
          kind: "band",
          x,
          low: x.map((v) => Math.min(low * v, high * v)),
          high: x.map((v) => Math.max(low * v, high * v)),
          colour: GREY,
          opacity: 0.18,
        },
        ...linesOf(formulation, ({ y }) => y.map((v) => v - y[middle])),
      ],
    };
  });
  const slopePanels = formulations.map((formulation): PlanePanel => {
    const bounds = BOUNDS[formulation](SHOWN);
    return {
      xLabel: "x",
      yLabel: "slope F′(x)",
      xDomain: [-END, END],
      yDomain: [0.08, 12.5],
      yScale: "log",
      marks: [
        ...linesOf(formulation, ({ slope }) => slope),
        ...bounds.map(
          (bound): Mark => ({
            kind: "line",
            x: [-END, END],
            y: [bound, bound],
            colour: "#222222",
            width: 1.5,
            dashed: true,
          }),
        ),
      ],
    };
  });
  return panelsFigure({
    rows: [graphs, slopePanels],
    width: 270,
    height: 240,
    key: [
      { name: "allowed", colour: GREY, mark: "area" },
      { name: "random", colour: RANDOM, mark: "line" },
      { name: "trained: steepest", colour: STEEP, mark: "line" },
      { name: "flattest", colour: FLAT, mark: "line" },
      { name: "both by turns", colour: SMOOTH, mark: "line" },
    ],
  });
}

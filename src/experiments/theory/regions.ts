/**
 * Expressive power: with p = x1 - x2 fixed, q = F(x1) - F(x2) lies in a ball, for Lip(G) = L
 *   residual           |q - p| <= L |p|,
 *   inverse residual   |p - q| <= L |q|,
 *   monotone           |p - q| <= L |p + q|,
 * and the third contains the first two strictly.
 */

import type { Formulation } from "../../flows/monotone-flow.js";
import { Purpose, Random } from "../../model/random.js";
import { type Mark, type PlanePanel, palette, panelsFigure } from "../../plots/index.js";
import { Table } from "../../table.js";
import { balls, distanceOutside, lipschitzNeeded, minus, norm, type Point, plus } from "./balls.js";
import { grid } from "./grid.js";
import { formulations, LipschitzMap } from "./lipschitz-map.js";
import { difference, differenceBars, optimisable, pairOf, RATE } from "./pairs.js";
import { part } from "./part.js";

const L = 0.8;
const P: Point = [1, 0];

/** The least L with which a formulation could carry P to q. */
const needed = (formulation: Formulation, q: Point) => lipschitzNeeded[formulation](P, q);
const ball = (formulation: Formulation) => balls[formulation](L);
const ballPoint = (formulation: Formulation, degrees: number, share = 1): Point => {
  const { centre, radius } = ball(formulation);
  const angle = (degrees * Math.PI) / 180;
  return [centre + share * radius * Math.cos(angle), share * radius * Math.sin(angle)];
};
/** How far q is outside a ball; 0 inside. */
const outside = (formulation: Formulation, q: Point) => distanceOutside(formulation, L, P, q);

/** Targets inside the ball of monotone blocks and outside the others: angles seen from its centre. */
const TARGET_ANGLES = [25, 95, 140, 172];
const TARGET_SHARE = 0.96;

const ACTIVATIONS = ["CPila", "CLipSwish", "CReLU"];
const architecture = { dim: 2, lipschitz: L } as const;
/** Random networks: narrow and shallow ones are far from constant. */
const randomShape = (n: number) => ({ depth: 1 + (n % 2), width: n % 4 < 2 ? 4 : 16, scale: 4, capacity: 2 });
/** Rounding of the norms of differences in float64, where a solve ends at a few roundings. */
const ROUNDING = 1e-9;

const amounts = (quick: boolean) => ({
  lipschitz: L,
  randomNetworks: quick ? 40 : 300,
  pairsOfEach: 4,
  directions: quick ? 12 : 24,
  trainingSteps: quick ? 150 : 600,
  targets: quick ? TARGET_ANGLES.slice(0, 2) : TARGET_ANGLES,
  targetSteps: quick ? 300 : 1000,
});

interface Pair {
  readonly q: Point;
  /** The certified bound on Lip(G) of the network that made it. */
  readonly certified: number;
}

interface Attempt extends Pair {
  readonly formulation: Formulation;
  readonly target: Point;
}

interface Data {
  readonly random: Record<Formulation, Pair[]>;
  readonly adversarial: Record<Formulation, Pair[]>;
  readonly attempts: Attempt[];
}

/** Optimises a network for the q of the pair (P/2, -P/2); `descend` gives the gradient of the loss for q. */
async function optimised(
  formulation: Formulation,
  steps: number,
  random: Random,
  descend: (q: Point) => Point,
): Promise<Pair> {
  const pair = pairOf(P);
  const map = await LipschitzMap.optimised(optimisable(L), random, {
    formulation,
    x: pair,
    steps,
    rate: RATE,
    loss: (mapped) => differenceBars(descend(difference(mapped))),
  });
  return { q: difference(await map.forward(formulation, pair)), certified: map.lipschitzBound };
}

export const regions = part<Data>({
  name: "regions",
  settings: amounts,
  async compute({ quick, seed, progress }) {
    const amount = amounts(quick);
    const empty = (): Record<Formulation, Pair[]> => ({ residual: [], "inverse-residual": [], monotone: [] });
    const data: Data = { random: empty(), adversarial: empty(), attempts: [] };
    let stream = 20_000;
    const next = () => new Random(seed, Purpose.initialisation, stream++);

    progress("regions: pairs from random networks");
    const places = new Random(seed, Purpose.sampling);
    for (let n = 0; n < amount.randomNetworks; n++) {
      const activation = ACTIVATIONS[n % ACTIVATIONS.length];
      const map = new LipschitzMap({ ...architecture, ...randomShape(n), activation }, next());
      const certified = map.lipschitzBound;
      for (let i = 0; i < amount.pairsOfEach; i++) {
        const x2: Point = [2 * places.normal(), 2 * places.normal()];
        const pair = Table.from([[...plus(x2, P)], [...x2]]);
        for (const formulation of formulations) {
          data.random[formulation].push({ q: difference(await map.forward(formulation, pair)), certified });
        }
      }
    }
    for (const formulation of formulations) {
      progress(`regions: ${formulation} blocks pushed in ${amount.directions} directions`);
      for (let i = 0; i < amount.directions; i++) {
        const angle = (2 * Math.PI * i) / amount.directions;
        const push = (): Point => [-Math.cos(angle), -Math.sin(angle)];
        data.adversarial[formulation].push(await optimised(formulation, amount.trainingSteps, next(), push));
      }
    }
    for (const angle of amount.targets) {
      const target = ballPoint("monotone", angle, TARGET_SHARE);
      progress(`regions: towards q = (${target.map((t) => t.toFixed(2)).join(", ")})`);
      for (const formulation of formulations) {
        const pull = (q: Point) => minus(q, target);
        const pair = await optimised(formulation, amount.targetSteps, next(), pull);
        data.attempts.push({ ...pair, formulation, target });
      }
    }
    return data;
  },

  section({ random, adversarial, attempts }) {
    const beyond = adversarial.monotone.filter(
      ({ q }) => needed("residual", q) > L && needed("inverse-residual", q) > L,
    ).length;
    const targets = [...new Set(attempts.map(({ target }) => JSON.stringify(target)))].map(
      (text) => JSON.parse(text) as Point,
    );
    const missed = (formulation: Formulation, target: Point) => {
      const attempt = attempts.find((a) => a.formulation === formulation && `${a.target}` === `${target}`);
      return attempt ? norm(minus(attempt.q, target)) : Number.NaN;
    };
    const reached = targets.filter((t) => missed("monotone", t) < 0.01 * norm(t)).length;
    const kept = targets.filter((t) =>
      (["residual", "inverse-residual"] as const).every(
        (f) => outside(f, t) > 0 && missed(f, t) >= outside(f, t) - ROUNDING,
      ),
    ).length;
    return {
      title: "Expressive power: what a monotone block reaches",
      items: [
        {
          kind: "text",
          text:
            "Fix p = x₁ − x₂ and look at q = F(x₁) − F(x₂). Lip(G) ≤ L confines q to a ball, a different one for each " +
            `formulation. For L = ${L} pairs of points are sent through random networks, and through networks that gradient ` +
            "ascent through the block has pushed towards chosen directions. Residual and inverse residual balls lie inside " +
            "the monotone one, which reaches further on every side.",
        },
        {
          kind: "figure",
          name: "regions",
          picture: regionsPicture(attempts),
          caption:
            `The regions of q for p = (1, 0) and L = ${L}, and networks trained to carry p to targets (rings): a ` +
            "monotone block arrives; residual and inverse residual blocks stop at the edge of their regions.",
        },
        {
          kind: "figure",
          name: "pairs",
          picture: pairsPicture(random, adversarial),
          caption:
            "Each region at its own scale: pairs from random networks (small dots) and from adversarially optimised " +
            "ones (large dots), which line its edge and do not cross it.",
        },
        ...formulations.map((formulation) => {
          const pairs = [
            ...random[formulation],
            ...adversarial[formulation],
            ...attempts.filter((a) => a.formulation === formulation),
          ];
          const shares = pairs.map(({ q, certified }) => needed(formulation, q) / certified);
          const inside = shares.filter((share) => share <= 1 + ROUNDING).length;
          const certified = pairs.every((pair) => pair.certified <= L);
          return {
            kind: "check" as const,
            claim: `no ${TITLES[formulation]} block leaves its region`,
            holds: inside === pairs.length && certified,
            detail:
              `${inside} of ${pairs.length} pairs inside the region of their network's certified Lipschitz constant ` +
              `(all at most ${L}); the furthest went ${(100 * Math.max(...shares)).toFixed(2)} % of the way to its edge`,
          };
        }),
        {
          kind: "table",
          columns: [
            "target q",
            "L needed: residual",
            "inverse residual",
            "monotone",
            "missed by: residual",
            "inverse residual",
            "monotone",
          ],
          rows: targets.map((t) => [
            `(${t.map((x) => x.toFixed(3)).join(", ")})`,
            ...formulations.map((f) => needed(f, t).toFixed(3)),
            ...formulations.map((f) => missed(f, t).toFixed(4)),
          ]),
          caption:
            "Targets for p = (1, 0): the least L with which each formulation could reach it (impossible with any " +
            `invertible block where it is 1 or more), and by how far the trained block with L = ${L} misses it.`,
        },
        {
          kind: "check",
          claim: "a monotone block reaches pairs that no residual and no inverse residual block can reach",
          holds: beyond > 0 && reached === targets.length && kept === targets.length,
          detail:
            `${beyond} of ${adversarial.monotone.length} pairs of optimised monotone blocks lie outside both other regions; ` +
            `${reached} of ${targets.length} targets reached within 1 %, which the others miss at least by their ` +
            "distance from the region",
        },
      ],
    };
  },
});

const TITLES: Record<Formulation, string> = {
  residual: "residual",
  "inverse-residual": "inverse residual",
  monotone: "monotone",
};
const COLOURS: Record<Formulation, string> = {
  residual: palette[2],
  "inverse-residual": palette[0],
  monotone: palette[1],
};
const INK = "#222222";

const xs = (points: readonly Point[]) => points.map(([x]) => x);
const ys = (points: readonly Point[]) => points.map(([, y]) => y);

function region(formulation: Formulation, opacity: number): Mark {
  const edge = grid(0, 360, 241).map((degrees) => ballPoint(formulation, degrees));
  return { kind: "region", x: xs(edge), y: ys(edge), colour: COLOURS[formulation], opacity };
}

function regionsPicture(attempts: readonly Attempt[]) {
  const outward: Formulation[] = ["monotone", "inverse-residual", "residual"];
  const targets = attempts.map(({ target }) => target);
  const panel: PlanePanel = {
    xLabel: "q₁",
    yLabel: "q₂",
    xDomain: [-0.8, 9.4],
    yDomain: [-4.9, 4.9],
    marks: [
      ...outward.map((formulation) => region(formulation, 0.13)),
      ...attempts.map(
        ({ formulation, q, target }): Mark => ({
          kind: "line",
          ...{ x: [q[0], target[0]], y: [q[1], target[1]] },
          colour: COLOURS[formulation],
          width: 1.4,
          opacity: 0.8,
        }),
      ),
      { kind: "dots", x: xs(targets), y: ys(targets), colour: INK, radius: 8, hollow: true },
      ...formulations.map((formulation): Mark => {
        const own = attempts.filter((a) => a.formulation === formulation).map(({ q }) => q);
        return { kind: "dots", x: xs(own), y: ys(own), colour: COLOURS[formulation], radius: 5 };
      }),
      { kind: "dots", x: [0, P[0]], y: [0, P[1]], colour: INK, radius: 3.5 },
      { kind: "label", x: P[0], y: P[1] - 0.28, text: "p" },
      { kind: "label", x: 0, y: -0.28, text: "0" },
    ],
  };
  return panelsFigure({
    rows: [[panel]],
    width: 640,
    height: "equal",
    key: [
      ...formulations.map((f) => ({ name: TITLES[f], colour: COLOURS[f], mark: "area" as const })),
      { name: "target", colour: INK, mark: "ring" },
    ],
  });
}

function pairsPicture(random: Data["random"], adversarial: Data["adversarial"]) {
  const panels = formulations.map((formulation): PlanePanel => {
    const { centre, radius } = ball(formulation);
    const [few, many] = [adversarial[formulation], random[formulation]].map((pairs) =>
      pairs.map(({ q }) => q),
    );
    const reach = 1.15 * radius;
    return {
      title: TITLES[formulation],
      xLabel: "q₁",
      yLabel: "q₂",
      xDomain: [centre - reach, centre + reach],
      yDomain: [-reach, reach],
      marks: [
        region(formulation, 0.13),
        { kind: "dots", x: xs(many), y: ys(many), colour: INK, radius: 1.6, opacity: 0.45 },
        { kind: "dots", x: xs(few), y: ys(few), colour: COLOURS[formulation], radius: 5 },
        { kind: "dots", x: [P[0]], y: [P[1]], colour: "white", radius: 6 },
        { kind: "dots", x: [P[0]], y: [P[1]], colour: INK, radius: 6, hollow: true },
        { kind: "label", x: P[0] + 0.12 * radius, y: P[1] + 0.1 * radius, text: "p" },
      ],
    };
  });
  return panelsFigure({
    rows: [panels],
    width: 270,
    height: "equal",
    key: [
      { name: "random networks", colour: INK, mark: "dot" },
      ...formulations.map((f) => ({
        name: `optimised, ${TITLES[f]}`,
        colour: COLOURS[f],
        mark: "dot" as const,
      })),
    ],
  });
}

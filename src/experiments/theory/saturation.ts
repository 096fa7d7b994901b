/**
 * CPila does not saturate: its slope, as a map into the plane, is near 1 everywhere, where that of CLipSwish falls to
 * 0.64 at 0; through many layers the gradient of G vanishes with the latter and not with the former. CReLU keeps
 * all of it, but its second derivative, from which a log-determinant learns, is zero.
 */
import type { Activation } from "../../activations/activation.js";
import { clipswish } from "../../activations/clipswish.js";
import { cpila } from "../../activations/cpila.js";
import { crelu } from "../../activations/relu.js";
import { type Mark, type PlanePanel, palette, panelsFigure, quantile, sorted } from "../../plots/index.js";
import { jets, slopeLength } from "./activation-jets.js";
import {
  type GradientNorms,
  gradientNorms,
  networkKinds,
  type WeightLaw,
  weightLaws,
} from "./gradient-norms.js";
import { grid } from "./grid.js";
import { part } from "./part.js";

const ACTIVATIONS: readonly Activation[] = [cpila, clipswish, crelu];
const END = 2.5;
/** Even, so that the kink of CReLU at 0 lies between two points. */
const POINTS = 500;
const COLOURS: Record<string, string> = { CPila: palette[1], CLipSwish: palette[0], CReLU: palette[2] };

const amounts = (quick: boolean) => ({
  depths: quick ? [2, 4, 8] : [2, 4, 8, 16, 32],
  networks: quick ? 10 : 60,
  inputsOfEach: 16,
});

export const saturation = part<GradientNorms[]>({
  name: "saturation",
  settings: amounts,
  compute: async ({ quick, seed, progress }) => {
    const results: GradientNorms[] = [];
    for (const kind of networkKinds) {
      for (const depth of amounts(quick).depths) {
        progress(`saturation: gradients through ${kind} networks of depth ${depth}`);
        for (const law of weightLaws) {
          for (const { name } of ACTIVATIONS) {
            results.push(
              await gradientNorms({ kind, depth, law, activation: name, seed, ...amounts(quick) }),
            );
          }
        }
      }
    }
    return results;
  },

  section(results) {
    const of = (activation: string, like: GradientNorms) =>
      results.find(
        (r) =>
          r.activation === activation && r.kind === like.kind && r.depth === like.depth && r.law === like.law,
      ) ?? like;
    const cases = results.filter((r) => r.activation === "CPila");
    const median = (r: GradientNorms) => summaryOf(r.norms).median;
    const ahead = cases.filter((r) => median(r) > median(of("CLipSwish", r))).length;
    const deepest = cases.filter((r) => r.depth === Math.max(...cases.map((c) => c.depth)));
    const within = results.filter(({ norms, certified }) =>
      norms.every((n, i) => n <= certified[i] * (1 + 1e-9)),
    );
    const slopeOf = (activation: Activation) => slopes(activation, grid(-6, 6, 2401));
    const [least, leastOther] = [cpila, clipswish].map((a) => Math.min(...slopeOf(a)));
    const bend = Math.max(
      ...grid(-END, END, POINTS).flatMap((x) => jets(crelu, x).map((j) => Math.abs(j.second))),
    );
    return {
      title: "CPila: an activation that does not saturate",
      items: [
        {
          kind: "text",
          text:
            "A network's Lipschitz bound is worth only as much as its activations let through. All three activations " +
            "are 1-Lipschitz as maps into the plane. Around 0, where deep normalised networks work, the slope of " +
            "CLipSwish is well below 1, and layer after layer multiplies this loss. CPila keeps nearly all of its slope " +
            "and has continuous second derivatives that are not zero, which the gradient of the log-determinant needs; " +
            "CReLU keeps the whole slope but has no second derivative.",
        },
        {
          kind: "figure",
          name: "activations",
          picture: activationsPicture(),
          caption:
            "The two outputs of each activation (solid), their first and second derivatives; dashed: the length of the " +
            "pair of slopes, which is the activation's local Lipschitz constant.",
        },
        {
          kind: "figure",
          name: "gradient-norms",
          picture: normsPicture(results),
          caption:
            "Norms of the gradient of a random output direction at normal inputs, over many random networks with 8 inputs " +
            "and outputs, every weight at spectral norm 0.999: median (dot), quartiles (thick) and 5 to 95 % (thin). " +
            "Above: weights with all singular values alike. Below: normal weights, whose smaller singular values lose more. " +
            "CReLU shows what the weights alone lose; the distance below it is the activation's saturation.",
        },
        {
          kind: "table",
          columns: ["network", "weights", "depth", ...ACTIVATIONS.map((a) => a.name)],
          rows: cases.map((r) => [
            r.kind,
            r.law,
            String(r.depth),
            ...ACTIVATIONS.map((a) => median(of(a.name, r)).toPrecision(3)),
          ]),
          caption: "Median gradient norms.",
        },
        {
          kind: "check",
          claim: "the slope of CPila stays near 1 where that of CLipSwish falls",
          holds: least > 0.9 && leastOther < 0.7,
          detail: `least length of the pair of slopes: CPila ${least.toFixed(3)}, CLipSwish ${leastOther.toFixed(3)}`,
        },
        {
          kind: "check",
          claim:
            "CPila is twice continuously differentiable and curved; CReLU has no curvature to learn from",
          holds: bend === 0 && jump(cpila) < 0.05 && curvature(cpila) > 1,
          detail:
            `largest second derivative: CPila ${curvature(cpila).toFixed(2)}, CReLU ${bend}; largest jump of CPila's ` +
            `between points 0.001 apart: ${jump(cpila).toFixed(4)}`,
        },
        {
          kind: "check",
          claim:
            "gradients through CPila networks stay larger than through CLipSwish networks, at every depth",
          holds: ahead === cases.length,
          detail:
            `median larger in ${ahead} of ${cases.length} cases; at depth ${deepest[0].depth}: ` +
            deepest
              .map(
                (r) =>
                  `${r.kind}, ${r.law} weights ${(median(r) / median(of("CLipSwish", r))).toPrecision(3)} times`,
              )
              .join(", "),
        },
        {
          kind: "check",
          claim: "no gradient is longer than its network's certified Lipschitz constant",
          holds: within.length === results.length,
          detail: `${results.reduce((sum, r) => sum + r.norms.length, 0)} gradients`,
        },
      ],
    };
  },
});

/** The local Lipschitz constants. */
const slopes = (activation: Activation, x: readonly number[]) => x.map((at) => slopeLength(activation, at));

const seconds = (activation: Activation) => grid(-3, 3, 6001).map((x) => jets(activation, x)[0].second);
const curvature = (activation: Activation) => Math.max(...seconds(activation).map(Math.abs));
/** The largest change of the second derivative over a distance of 0.001. */
function jump(activation: Activation): number {
  const values = seconds(activation);
  return Math.max(...values.slice(1).map((value, i) => Math.abs(value - values[i])));
}

/** The median, the quartiles, and the ends of the middle nine tenths. */
function summaryOf(values: readonly number[]) {
  const ascending = sorted(values);
  const [low, lower, median, upper, high] = [0.05, 0.25, 0.5, 0.75, 0.95].map((q) => quantile(ascending, q));
  return { low, lower, median, upper, high };
}

const INK = "#222222";

function activationsPicture() {
  const x = grid(-END, END, POINTS);
  const rows = [
    { label: "value", order: "value", domain: [-0.5, 2.5] },
    { label: "first derivative", order: "first", domain: [-1.25, 1.25] },
    { label: "second derivative", order: "second", domain: [-1.7, 3.2] },
  ] as const;
  return panelsFigure({
    rows: rows.map(({ label, order, domain }, r) =>
      ACTIVATIONS.map((activation): PlanePanel => {
        const output = (i: number): Mark => ({
          kind: "line",
          x,
          y: x.map((value) => jets(activation, value)[i][order]),
          colour: palette[i],
          // Where the two coincide, both can be seen.
          width: i === 0 ? 4.5 : 2,
        });
        const length: Mark = {
          kind: "line",
          x,
          y: slopes(activation, x),
          colour: INK,
          width: 1.8,
          dashed: true,
        };
        return {
          ...(r === 0 ? { title: activation.name } : {}),
          xLabel: "x",
          yLabel: label,
          xDomain: [-END, END],
          yDomain: domain,
          marks: [output(0), output(1), ...(order === "first" ? [length] : [])],
        };
      }),
    ),
    width: 270,
    height: 180,
    key: [
      { name: "first output", colour: palette[0], mark: "line" },
      { name: "second output", colour: palette[1], mark: "line" },
      { name: "length of the pair of slopes", colour: INK, mark: "line" },
    ],
  });
}

function normsPicture(results: readonly GradientNorms[]) {
  const low = Math.min(...results.map((r) => summaryOf(r.norms).low));
  const panelOf = (
    kind: GradientNorms["kind"],
    law: WeightLaw,
    domain: readonly [number, number],
  ): PlanePanel => {
    const own = results.filter((r) => r.kind === kind && r.law === law);
    const depths = [...new Set(own.map((r) => r.depth))];
    const marks = ACTIVATIONS.flatMap(({ name }, a): Mark[] => {
      const mine = own.filter((r) => r.activation === name);
      const x = mine.map((r) => depths.indexOf(r.depth) + 0.13 * (a - 1));
      const s = mine.map((r) => summaryOf(r.norms));
      const colour = COLOURS[name];
      return [
        { kind: "line", x, y: s.map((v) => v.median), colour, width: 1.5, opacity: 0.6 },
        { kind: "bars", x, low: s.map((v) => v.low), high: s.map((v) => v.high), colour, width: 1.8 },
        {
          kind: "bars",
          x,
          low: s.map((v) => v.lower),
          high: s.map((v) => v.upper),
          colour,
          width: 9,
          opacity: 0.5,
        },
        { kind: "dots", x, y: s.map((v) => v.median), colour, radius: 4 },
      ];
    });
    return {
      title: `${kind} network, ${law} weights`,
      xLabel: "depth",
      yLabel: "norm of the gradient",
      xDomain: [-0.5, depths.length - 0.5],
      yDomain: domain,
      yScale: "log",
      xTicks: depths.map((depth, at) => ({ at, label: String(depth) })),
      marks,
    };
  };
  const lows = weightLaws.map((law) =>
    Math.min(...results.filter((r) => r.law === law).map((r) => summaryOf(r.norms).low)),
  );
  return panelsFigure({
    rows: weightLaws.map((law, i) =>
      networkKinds.map((kind) => panelOf(kind, law, [Math.max(low, lows[i]) * 0.7, 1.4])),
    ),
    width: 400,
    height: 270,
    key: ACTIVATIONS.map(({ name }) => ({ name, colour: COLOURS[name], mark: "line" })),
  });
}

/**
 * The geometric construction: the points (w, G(w)) of a 1-Lipschitz graph, mirrored, turned by 45 degrees and shrunk
 * by sqrt 2, are the points (x, y) = ((w + G)/2, (w - G)/2) of the graph of the monotone F = ((Id + G)/2)^-1 - Id.
 * The same turn leads back: w = x + y, G = x - y.
 */
import { Purpose, Random } from "../../model/random.js";
import { type Mark, type PlanePanel, palette, panelsFigure } from "../../plots/index.js";
import { Table } from "../../table.js";
import { grid } from "./grid.js";
import { LipschitzMap } from "./lipschitz-map.js";
import { part } from "./part.js";
import { mirroredAndTurned, scaled, type Turn } from "./turn.js";

const LIPSCHITZ = 0.98;
const END = 2.6;
const POINTS = 401;
const TRAINING_POINTS = 81;
/** Where G is trained to fall; it rises elsewhere. */
const falling = (w: number) => Math.sin(2.4 * w - 0.5) > 0;

const amounts = (quick: boolean) => ({ lipschitz: LIPSCHITZ, trainingSteps: quick ? 300 : 1500 });

interface Data {
  readonly w: number[];
  /** G(w) from the network. */
  readonly g: number[];
  /** F((w + G)/2) from the monotone block. */
  readonly f: number[];
  /** G(x + y) from the network, at the points (x, y) of the graph of F. */
  readonly back: number[];
  readonly certified: number;
}

const column = (values: readonly number[]) => new Table(values.length, 1, Float64Array.from(values));

export const cayley = part<Data>({
  name: "cayley",
  settings: amounts,
  async compute({ quick, seed, progress }) {
    progress("cayley: a zigzag of slopes near 1 and -1");
    const places = grid(-END, END, TRAINING_POINTS);
    const logDet = Float64Array.from(places, (w) => (falling(w) ? -1 : 1) / places.length);
    const map = await LipschitzMap.optimised(
      { dim: 1, lipschitz: LIPSCHITZ, depth: 3, width: 32, activation: "CPila", scale: 1, capacity: POINTS },
      new Random(seed, Purpose.initialisation, 10_000),
      {
        // Through the monotone block, where a falling G and a rising one count the same.
        formulation: "monotone",
        x: column(places),
        steps: amounts(quick).trainingSteps,
        rate: 0.02,
        loss: () => ({ logDet }),
      },
    );
    const w = grid(-END, END, POINTS);
    const g = Array.from((await map.value(column(w))).values);
    const x = w.map((value, i) => (value + g[i]) / 2);
    const f = Array.from((await map.forward("monotone", column(x))).out.values);
    const back = Array.from((await map.value(column(x.map((value, i) => value + f[i])))).values);
    return { w, g, f, back, certified: map.lipschitzBound };
  },

  section({ w, g, f, back, certified }) {
    const x = w.map((value, i) => (value + g[i]) / 2);
    const y = w.map((value, i) => (value - g[i]) / 2);
    const slopesOfG = differences(g).map((d, i) => d / differences(w)[i]);
    const slopesOfF = differences(f).map((d, i) => d / differences(x)[i]);
    const least = (1 - certified) / (1 + certified);
    const errorOfF = Math.max(...f.map((value, i) => Math.abs(value - y[i])));
    const errorOfG = Math.max(...back.map((value, i) => Math.abs(value - (x[i] - f[i]))));
    return {
      title: "The geometric construction: a turn by 45°",
      items: [
        {
          kind: "text",
          text:
            "A graph whose slopes stay between −1 and 1 stays inside a double cone around the horizontal. Mirrored and " +
            "turned by 45°, the cone becomes the first and third quadrant, and the graph that of an increasing " +
            "function: a monotone one. Shrunk by √2 this is the Cayley transform, ((w + G)/2, (w − G)/2), with which " +
            "a monotone block makes F from G. It undoes itself up to its scale: (x + y, x − y) is the graph of G again.",
        },
        {
          kind: "figure",
          name: "cayley",
          picture: picture({ w, g, f, back, certified }),
          caption:
            "Above: the graph of a trained network G, mirrored and turned by 45° (thin: 15° and 30°), and shrunk to the " +
            "graph of F; the rings are computed by the monotone block. Below: the way back; the rings are computed by " +
            "the network. The shaded cone of slopes between −1 and 1 and three points are carried along.",
        },
        {
          kind: "check",
          claim: "the turned graph is that of the monotone block F, and it is strictly increasing",
          holds: errorOfF < 1e-9 && Math.min(...slopesOfF) >= least * (1 - 1e-6),
          detail:
            `largest difference from the block ${errorOfF.toExponential(1)}; least slope of F ` +
            `${Math.min(...slopesOfF).toPrecision(3)}, bound (1 − L)/(1 + L) = ${least.toPrecision(3)}; G has slopes ` +
            `from ${Math.min(...slopesOfG).toFixed(3)} to ${Math.max(...slopesOfG).toFixed(3)}, certified L = ${certified.toFixed(6)}`,
        },
        {
          kind: "check",
          claim: "turned back, the graph of F is the graph of G again",
          holds: errorOfG < 1e-9,
          detail: `largest difference from the network ${errorOfG.toExponential(1)}`,
        },
      ],
    };
  },
});

const differences = (values: readonly number[]) => values.slice(1).map((value, i) => value - values[i]);

type Points = readonly (readonly [number, number])[];

const GREY = "#888888";
const [GRAPH_OF_G, GRAPH_OF_F] = palette;
const MARKED = [palette[2], palette[3], palette[4]];

function picture({ w, g, f, back }: Data) {
  const graph: Points = w.map((value, i) => [value, g[i]]);
  const own: Points = w.map((value, i) => [(value + g[i]) / 2, f[i]]);
  const again: Points = own.map(([x, y], i) => [x + y, back[i]]);
  const middle = graph[(graph.length - 1) / 2];
  const marked = [0.2, 0.5, 0.8].map((part) => Math.round(part * (graph.length - 1)));
  const far = 10;
  const cone: Points = [
    [-far, -far],
    [-far, far],
    [0, 0],
    [far, far],
    [far, -far],
    [0, 0],
  ].map(([a, b]) => [a + middle[0], b + middle[1]]);

  const line = (points: Points, colour: string, more = {}): Mark => ({
    kind: "line",
    x: points.map(([a]) => a),
    y: points.map(([, b]) => b),
    colour,
    ...more,
  });
  const region = (turn: Turn): Mark =>
    ({ ...line(cone.map(turn), GREY), kind: "region", opacity: 0.14 }) as Mark;
  const dots = (turn: Turn): Mark[] =>
    marked.map((at, i) => {
      const [a, b] = turn(graph[at]);
      return { kind: "dots", x: [a], y: [b], colour: MARKED[i], radius: 6 };
    });
  const rings = (points: Points): Mark =>
    ({
      ...line(
        points.filter((_, i) => i % 16 === 0),
        "#222222",
      ),
      kind: "dots",
      hollow: true,
      radius: 4,
    }) as Mark;
  const panelOf = (title: string, xLabel: string, yLabel: string, marks: Mark[]): PlanePanel => ({
    title,
    xLabel,
    yLabel,
    xDomain: [-2.7, 2.7],
    yDomain: [-2.7, 2.7],
    marks,
  });
  const same = scaled(1);
  const toF: Turn = (point) => scaled(Math.SQRT1_2)(mirroredAndTurned(45)(point));
  const turns = (degrees: readonly number[], colour: string, first: number, last: number): Mark[] => [
    region(mirroredAndTurned(last)),
    line(graph.map(mirroredAndTurned(first)), GREY, { width: 2, dashed: true }),
    ...degrees.map((d) => line(graph.map(mirroredAndTurned(d)), colour, { width: 1.2, opacity: 0.55 })),
    line(graph.map(mirroredAndTurned(last)), colour),
    ...dots(mirroredAndTurned(last)),
  ];
  return panelsFigure({
    rows: [
      [
        panelOf("1. The graph of G", "w", "G(w)", [region(same), line(graph, GRAPH_OF_G), ...dots(same)]),
        panelOf(
          "2. Mirrored (dashed), turned by 45°",
          "(w + G)/√2",
          "(w − G)/√2",
          turns([15, 30], GRAPH_OF_F, 0, 45),
        ),
        panelOf("3. Shrunk by √2: the graph of F", "x = (w + G)/2", "y = (w − G)/2", [
          region(toF),
          line(graph.map(toF), GRAPH_OF_F),
          rings(own),
          ...dots(toF),
        ]),
      ],
      [
        panelOf("4. The graph of F", "x", "y = F(x)", [region(toF), line(own, GRAPH_OF_F), ...dots(toF)]),
        panelOf("5. Stretched (dashed), turned back", "w", "−G(w)", turns([30, 15], GRAPH_OF_G, 45, 0)),
        panelOf("6. Mirrored: the graph of G again", "w = x + y", "G = x − y", [
          region(same),
          line(
            own.map(([x, y]) => [x + y, x - y]),
            GRAPH_OF_G,
          ),
          rings(again),
          ...dots(same),
        ]),
      ],
    ],
    width: 270,
    height: "equal",
    key: [
      { name: "G, a network with Lip(G) < 1", colour: GRAPH_OF_G, mark: "line" },
      { name: "F, monotone", colour: GRAPH_OF_F, mark: "line" },
      { name: "slopes between −1 and 1", colour: GREY, mark: "area" },
      { name: "computed by block and network", colour: "#222222", mark: "ring" },
    ],
  });
}

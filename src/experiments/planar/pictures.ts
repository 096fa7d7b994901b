/** The pictures of the 2-D reproduction: what was learned, how fast, and how the maps do it. */
import { toySource } from "../../data/source.js";
import { type ToyDensity, toyDensity } from "../../data/toy/index.js";
import type { Flow } from "../../flows/flow.js";
import { flowPath } from "../../flows/path.js";
import {
  densityFigure,
  type Extent,
  type Mark,
  mosaicFigure,
  type Picture,
  palette,
  panelsFigure,
  quantile,
  type Stage,
  smooth,
  sorted,
  transportFigure,
} from "../../plots/index.js";
import { learnedDensity, trueDensity } from "../../runs/figures.js";
import { Table } from "../../table.js";
import type { Result } from "./results.js";
import type { Pair } from "./tables.js";

const RESOLUTION = 160;
const POINTS = 2_000;
/** Seed of the points that are drawn, which no model was trained or tested on. */
const SEED = 20_000;

const [MONOTONE, BASELINE] = palette;

/** True and learned densities of a data set. A sharp peak of a model must not darken all the rest. */
async function densitiesOf({ baseline, monotone }: Pair, density: ToyDensity) {
  const truth = trueDensity(density, RESOLUTION);
  const [ofBaseline, ofMonotone] = [
    await learnedDensity(baseline.flow, density.extent, RESOLUTION),
    await learnedDensity(monotone.flow, density.extent, RESOLUTION),
  ];
  return { truth, ofBaseline, ofMonotone, maxDensity: quantile(sorted(truth), 1) };
}

/** All data sets at a glance: the truth and both models, one column a data set. */
export async function overviewPicture(pairs: readonly Pair[]): Promise<Picture> {
  const columns = [];
  for (const pair of pairs) {
    const density = toyDensity(pair.data);
    const { truth, ofBaseline, ofMonotone, maxDensity } = await densitiesOf(pair, density);
    const cells = [{ density: truth }, { density: ofBaseline }, { density: ofMonotone }];
    columns.push({ title: pair.data, extent: density.extent, maxDensity, cells });
  }
  return mosaicFigure({ columns, rows: ["data", "i-DenseNet", "Monotone Flow"] });
}

/** Densities over samples: the truth, i-DenseNet, Monotone Flow. */
export async function learnedPicture(pair: Pair): Promise<Picture> {
  const { data, baseline, monotone } = pair;
  const density = toyDensity(data);
  const { truth, ofBaseline, ofMonotone, maxDensity } = await densitiesOf(pair, density);
  const onGrid = (values: Float64Array) => ({ values, resolution: RESOLUTION });
  const samples = (flow: Flow) => flow.sample(POINTS, { seed: SEED });
  return densityFigure({
    title: data,
    extent: density.extent,
    side: 190,
    columns: 3,
    maxDensity,
    panels: [
      { title: "true density", density: onGrid(truth) },
      { title: "i-DenseNet", density: onGrid(ofBaseline) },
      { title: "Monotone Flow", density: onGrid(ofMonotone) },
      { title: "data", points: toySource(data).test(SEED, POINTS) },
      { title: "samples of i-DenseNet", points: await samples(baseline.flow) },
      { title: "samples of Monotone Flow", points: await samples(monotone.flow) },
    ],
  });
}

/** Training loss above the entropy over the steps, one panel a data set. */
export function lossesPicture(pairs: readonly Pair[]): Picture {
  const curve = (result: Result, colour: string): Mark => {
    const x = result.metrics.map((m) => m.step);
    const y = result.metrics.map((m) => m.loss - result.entropy);
    return { kind: "line", ...smooth({ x, y }, 50), width: 1.8, colour };
  };
  const columns = Math.min(4, pairs.length);
  const panels = pairs.map(({ data, baseline, monotone }) => ({
    title: data,
    xLabel: "step",
    yLabel: "nats",
    xDomain: [0, monotone.metrics.at(-1)?.step ?? 1] as const,
    yDomain: [0.003, 2] as const,
    yScale: "log" as const,
    marks: [curve(baseline, BASELINE), curve(monotone, MONOTONE)],
  }));
  return panelsFigure({
    rows: Array.from({ length: Math.ceil(panels.length / columns) }, (_, r) =>
      panels.slice(r * columns, (r + 1) * columns),
    ),
    width: 190,
    height: 170,
    key: [
      { name: "i-DenseNet", colour: BASELINE, mark: "line" },
      { name: "Monotone Flow", colour: MONOTONE, mark: "line" },
    ],
  });
}

const STAGES = [0, 2, 4, 6, 8, 10];
const LINES = 17;
/** Along a line: some parts are stretched a hundredfold. */
const PLACES = 4_801;

/** How both models carry a grid and points of the data to z. */
export async function transportPicture({ data, baseline, monotone }: Pair): Promise<Picture> {
  const { extent } = toyDensity(data);
  const points = toySource(data).test(SEED, 600);
  return transportFigure({
    title: data,
    extent,
    circles: [1, 2, 3],
    rows: [
      { title: "i-DenseNet", stages: await stagesOf(baseline.flow, extent, points) },
      { title: "Monotone Flow", stages: await stagesOf(monotone.flow, extent, points) },
    ],
  });
}

async function stagesOf(flow: Flow, extent: Extent, points: Table): Promise<Stage[]> {
  const grid = gridLines(extent);
  // The rows before the first bijection, after it, after the second, and so on.
  const ofGrid = (await flowPath(flow, grid)).points;
  const ofPoints = (await flowPath(flow, points)).points;
  const last = flow.chain.length;
  return STAGES.filter((stage) => stage <= last).map((stage) => ({
    title: stage === 0 ? "x" : stage === last ? `z, after ${last} blocks` : `after ${stage} blocks`,
    lines: Array.from({ length: 2 * LINES }, (_, line) =>
      ofGrid[stage].slice(line * PLACES, (line + 1) * PLACES),
    ),
    points: ofPoints[stage],
  }));
}

/** The places along all lines, one after the other: first the lines of equal x, then those of equal y. */
function gridLines([xmin, xmax, ymin, ymax]: Extent): Table {
  const table = new Table(2 * LINES * PLACES, 2);
  const along = (from: number, to: number, i: number, of: number) => from + (i / (of - 1)) * (to - from);
  for (let line = 0; line < LINES; line++) {
    for (let i = 0; i < PLACES; i++) {
      const upright = [along(xmin, xmax, line, LINES), along(ymin, ymax, i, PLACES)];
      const level = [along(xmin, xmax, i, PLACES), along(ymin, ymax, line, LINES)];
      table.row(line * PLACES + i).set(upright);
      table.row((LINES + line) * PLACES + i).set(level);
    }
  }
  return table;
}

/** The pictures of a run: the density beside the data, and the loss curve. */
import type { DataSource } from "../data/source.js";
import type { ToyDensity } from "../data/toy/index.js";
import { check } from "../errors.js";
import { FailedRows } from "../flows/failed-rows.js";
import type { Flow } from "../flows/flow.js";
import {
  type CurveFigure,
  curveFigure,
  densityFigure,
  type Extent,
  marginalsFigure,
  type Picture,
  smooth,
} from "../plots/index.js";
import { Table } from "../table.js";
import type { Metrics } from "./run.js";

const RESOLUTION = 200;
const POINTS = 5_000;

/** Centres of the cells of a resolution x resolution grid over the extent, row-major, row 0 at ymin. */
function grid([xmin, xmax, ymin, ymax]: Extent, resolution: number): Table {
  const table = new Table(resolution * resolution, 2);
  for (let row = 0, i = 0; row < resolution; row++) {
    for (let column = 0; column < resolution; column++) {
      table.values[i++] = xmin + ((column + 0.5) / resolution) * (xmax - xmin);
      table.values[i++] = ymin + ((row + 0.5) / resolution) * (ymax - ymin);
    }
  }
  return table;
}

/** The true density on a grid over its extent, row 0 at ymin. */
export function trueDensity(density: ToyDensity, resolution: number): Float64Array {
  const points = grid(density.extent, resolution);
  return Float64Array.from({ length: points.rows }, (_, i) =>
    Math.exp(density.logDensity(points.at(i, 0), points.at(i, 1))),
  );
}

/** The density of a planar flow on the same grid; NaN where it failed, if that is collected. */
export async function learnedDensity(
  flow: Flow,
  extent: Extent,
  resolution: number,
  failures?: FailedRows,
): Promise<Float64Array> {
  return (await flow.logProb(grid(extent, resolution), { failures })).map(Math.exp);
}

/** What a figure does not show, in words for its caption; empty where nothing has failed. */
export function missing(failed: readonly (readonly [what: string, failures: FailedRows])[]): string {
  return failed
    .filter(([, { count }]) => count > 0)
    .map(([what, failures]) => `${failures.describe(what)}.`)
    .join(" ");
}

/**
 * Data, truth (where known), learned density and samples side by side; a scatter matrix for other dimensions. Samples
 * that fail are left out, cells of the density grey, and the caption says so.
 */
export async function densityPicture(
  flow: Flow,
  source: DataSource,
  seed: number,
  caption: string,
): Promise<{ picture: Picture; missing: string }> {
  const data = source.test(seed, POINTS);
  const [samples, cells] = [new FailedRows(), new FailedRows()];
  const drawn = await flow.sample(Math.min(POINTS, Math.max(data.rows, 1000)), { seed, failures: samples });
  const points = samples.rest(drawn);
  check(points.rows > 0, "numerical", samples.describe("sample"));
  const withNote = (lack: string) => (lack === "" ? caption : `${caption}. ${lack}`);
  const { density } = source;
  if (!density) {
    const lack = missing([["sample", samples]]);
    const figure = {
      names: source.columns,
      data,
      samples: points,
      title: source.name,
      caption: withNote(lack),
    };
    return { picture: marginalsFigure(figure), missing: lack };
  }
  const { extent } = density;
  const truth = trueDensity(density, RESOLUTION);
  const learned = await learnedDensity(flow, extent, RESOLUTION, cells);
  const lack = missing([
    ["density cell", cells],
    ["sample", samples],
  ]);
  const picture = densityFigure({
    title: source.name,
    caption: withNote(lack),
    extent,
    panels: [
      { title: "data", points: data },
      { title: "true density", density: { values: truth, resolution: RESOLUTION } },
      { title: "learned density", density: { values: learned, resolution: RESOLUTION } },
      { title: "samples of the model", points },
    ],
  });
  return { picture, missing: lack };
}

/** Training and test loss over the steps, with the entropy as the floor where it is known. */
export function lossPicture(
  metrics: readonly Metrics[],
  entropy: number | null,
  title: string,
  unit = "nats",
): Picture {
  const x = metrics.map((m) => m.step);
  const y = metrics.map((m) => m.loss);
  const tests = metrics.filter((m) => m.testLoss !== undefined);
  const series: CurveFigure["series"] = [
    { name: "training", x, y, style: "faint" },
    { name: "training", ...smooth({ x, y }) },
    ...(tests.length > 0
      ? [
          {
            name: "test",
            x: tests.map((m) => m.step),
            y: tests.map((m) => m.testLoss ?? Number.NaN),
            style: "dots" as const,
          },
        ]
      : []),
  ];
  const rules = entropy === null ? [] : [{ y: entropy, label: `entropy of the data ${entropy.toFixed(3)}` }];
  return curveFigure({ title, xLabel: "step", yLabel: `loss (${unit})`, series, rules });
}

/** Samples alone: dots in the plane for two columns, histograms and a scatter matrix otherwise. */
export function samplesPicture(samples: Table, names: readonly string[], title: string): Picture {
  if (samples.columns !== 2) return marginalsFigure({ names, data: samples, samples, title });
  const [x, y] = [0, 1].map((column) => samples.column(column).sort());
  const span = (sorted: Float64Array) => {
    const low = sorted[Math.floor(0.001 * (sorted.length - 1))];
    const high = sorted[Math.ceil(0.999 * (sorted.length - 1))];
    const margin = 0.05 * (high - low) || 1;
    return [low - margin, high + margin] as const;
  };
  const [xLabel, yLabel] = names;
  return densityFigure({
    title,
    extent: [...span(x), ...span(y)],
    xLabel,
    yLabel,
    panels: [{ title: "samples", points: samples }],
  });
}

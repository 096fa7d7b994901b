/** What a model is trained on, as the page needs it: a toy density, a drawing, or two columns of a dropped file. */
import { computed, signal } from "@preact/signals";
import {
  type RowJob,
  rowSource,
  Table,
  type ToyDensity,
  tableJob,
  toyDensities,
  toyDensity,
} from "../library.js";
import type { Extent } from "./messages.js";

export const DRAWING = "drawing";
export const FILE = "file";
export const toyNames = toyDensities.map(({ name }) => name);
export type DataName = string;

/** Points of the reader's own: x and y in turn. */
export interface OwnTable {
  /** Of the file, with its ending. */
  readonly name: string;
  readonly columns: readonly [string, string];
  readonly values: Float64Array;
}

/** What was drawn with the brush, in the square of the toy densities. */
export const drawing = signal<OwnTable>({
  name: "drawing.csv",
  columns: ["x1", "x2"],
  values: new Float64Array(),
});
/** The two chosen columns of a dropped file. */
export const file = signal<OwnTable | null>(null);

export const SQUARE: Extent = [-4, 4, -4, 4];

export interface Data {
  /** A name for files and titles. */
  readonly title: string;
  readonly job: RowJob;
  readonly standardisation: { mean: number[]; deviation: number[] } | null;
  readonly extent: Extent;
  readonly columns: readonly string[];
  /** The floor of the loss in nats, where it is known. */
  readonly entropy: number | null;
  readonly density: ToyDensity | null;
  /** Some of the samples, to be shown: x and y in turn. */
  readonly points: Float64Array;
  /** All rows, where they are the reader's own. */
  readonly own: OwnTable | null;
}

const SHOWN = 2_000;

/**
 * The data of that name. Throws a `FlowError`, or an `Error` in words, if there is none yet or it cannot be modelled.
 * @param seed which rows of an own table are held out
 */
export function prepare(name: DataName, seed: number): Data {
  if (name !== DRAWING && name !== FILE) {
    const density = toyDensity(name);
    const job: RowJob = { kind: "toy", name };
    const source = rowSource(job);
    return {
      title: name,
      job,
      standardisation: null,
      extent: density.extent,
      columns: source.columns,
      entropy: density.entropy,
      density,
      points: source.test(0, SHOWN).values,
      own: null,
    };
  }
  const own = name === DRAWING ? drawing.value : file.value;
  if (own === null) throw new Error("No file is open: drop a CSV file on this page, or choose one.");
  const rows = own.values.length / 2;
  if (name === DRAWING && rows < 100)
    throw new Error("Draw something first: press and move in the field of the data.");
  const { job, standardisation } = tableJob(new Table(rows, 2, own.values), own.columns, own.name, seed);
  return {
    title: own.name.replace(/\.[^.]*$/, ""),
    job,
    standardisation,
    extent: name === DRAWING ? SQUARE : extentOf(own.values),
    columns: own.columns,
    entropy: null,
    density: null,
    points: spread(own.values, SHOWN),
    own,
  };
}

/** Whether there is data to train on under that name. */
export const ready = (name: DataName) =>
  computed(() =>
    name === DRAWING ? drawing.value.values.length >= 200 : name === FILE ? file.value !== null : true,
  );

/** At most `count` points, evenly from the whole table. */
function spread(values: Float64Array, count: number): Float64Array {
  const rows = values.length / 2;
  if (rows <= count) return values;
  const some = new Float64Array(2 * count);
  for (let i = 0; i < count; i++) {
    const row = Math.floor((i * rows) / count);
    some[2 * i] = values[2 * row];
    some[2 * i + 1] = values[2 * row + 1];
  }
  return some;
}

/** What holds nearly all points, with a margin. */
export function extentOf(values: Float64Array): Extent {
  const [xs, ys] = [0, 1].map((column) => values.filter((_, i) => i % 2 === column).sort());
  const span = (sorted: Float64Array) => {
    const low = sorted[Math.floor(0.002 * (sorted.length - 1))];
    const high = sorted[Math.ceil(0.998 * (sorted.length - 1))];
    const margin = 0.12 * (high - low) || 1;
    return [low - margin, high + margin] as const;
  };
  return [...span(xs), ...span(ys)];
}

import { check } from "../errors.js";
import { Purpose, Random } from "../model/random.js";
import { Table } from "../table.js";
import type { ImageShape } from "./images/image-set.js";
import { type ToyDensity, toyDensity } from "./toy/index.js";

/** What training draws its samples from. */
export interface DataSource {
  /** What reports call the data. */
  readonly name: string;
  /** Columns of a sample. */
  readonly dim: number;
  /** Differential entropy in nats where it is known, else null. */
  readonly entropy: number | null;
  /** Names of the columns. */
  readonly columns: readonly string[];
  /**
   * Fills `out` (count x dim, row-major) with the training samples start .. start + count - 1 of the given
   * step. Every sample depends on (seed, step, sample index) only.
   */
  fill(out: Float64Array, seed: number, step: number, start: number, count: number): void;
  /**
   * The fixed test sample: `count` fresh draws (toy), or `count` of the held-out rows, fewer at their end. Images, of
   * which not all fit into memory, come from number `first` on (default 0).
   */
  test(seed: number, count: number, first?: number): Table;
  /** The number of held-out rows; absent where test samples are drawn. */
  readonly testRows?: number;
  /** What the rows are images of. */
  readonly image?: { readonly shape: ImageShape; readonly levels: number };
  /** The density itself where it is known. */
  readonly density: ToyDensity | null;
}

/** A source that may take its time: training waits for the promise of `fill`. */
export interface AsyncSource extends Omit<DataSource, "fill"> {
  /** As that of a `DataSource`. */
  fill(
    out: Float64Array,
    seed: number,
    step: number,
    start: number,
    count: number,
  ): undefined | void | Promise<void>;
}

/** Fresh draws from the toy distribution of that name; throws a `FlowError` of code `usage` if there is none. */
export function toySource(name: string): DataSource {
  const density = toyDensity(name);
  const draw = (random: Random, out: Float64Array, step: number, start: number, count: number) => {
    for (let i = 0; i < count; i++) density.sample(random.seek(step, start + i), out, 2 * i);
  };
  return {
    name,
    dim: 2,
    entropy: density.entropy,
    columns: ["x1", "x2"],
    fill(out, seed, step, start, count) {
      draw(new Random(seed, Purpose.training), out, step, start, count);
    },
    test(seed, count) {
      const table = new Table(count, 2);
      draw(new Random(seed, Purpose.testing), table.values, 0, 0, count);
      return table;
    },
    density,
  };
}

/**
 * Rows of a table: training draws them with replacement from `train`, the test sample is `test`.
 * Throws a `FlowError` if there are no rows to draw from, the numbers of columns differ, or a number is not finite.
 */
export function tableSource(name: string, train: Table, test: Table, columns: readonly string[]): DataSource {
  const dim = columns.length;
  check(train.rows > 0, "input", `${name}: there are no rows to train on`);
  check(
    train.columns === dim && test.columns === dim,
    "usage",
    `${name}: ${dim} names of columns for tables of ${train.columns} and ${test.columns} columns`,
  );
  for (const table of [train, test]) {
    const wrong = table.values.findIndex((x) => !Number.isFinite(x));
    const place = `row ${Math.floor(wrong / dim) + 1}, ${columns[wrong % dim]}`;
    check(wrong < 0, "input", `${name}, ${place}: ${table.values[wrong]} is no finite number`);
  }
  return {
    name,
    dim,
    entropy: null,
    columns,
    fill(out, seed, step, start, count) {
      const random = new Random(seed, Purpose.training);
      for (let i = 0; i < count; i++) {
        out.set(train.row(random.seek(step, start + i).integer(train.rows)), i * dim);
      }
    },
    test: (_seed, count) => test.slice(0, Math.min(count, test.rows)),
    density: null,
  };
}

/** How a table is modelled: a tenth of its rows is held out for testing, and its columns are standardised. */
import { splitRows } from "../data/split-rows.js";
import { standardisation } from "../data/standardise.js";
import { check } from "../errors.js";
import type { Table } from "../table.js";
import type { DataJob } from "../training/job.js";

/** The share of the rows that is held out. */
export const TEST_FRACTION = 0.1;
const MAX_COLUMNS = 16;
const MIN_ROWS = 10;

/** What `tableJob` returns. */
export interface TableJob {
  /** The data of a `TrainingJob`. */
  job: Extract<DataJob, { kind: "table" }>;
  /** Of the training rows. */
  standardisation: { mean: number[]; deviation: number[] };
}

/**
 * The data of a job that trains on a table, a tenth of which is held out, and the standardisation of its columns.
 *
 * @param seed decides which rows are held out
 * @param path what errors call the table (default: its name)
 * @throws FlowError `input` for a table with too many columns, too few rows or a constant column
 */
export function tableJob(
  table: Table,
  names: readonly string[],
  name: string,
  seed: number,
  path = name,
): TableJob {
  check(
    table.columns <= MAX_COLUMNS,
    "input",
    `${path} has ${table.columns} columns, at most ${MAX_COLUMNS} can be modelled; choose some`,
    { option: "columns" },
  );
  check(
    table.rows >= MIN_ROWS,
    "input",
    `${path} has ${table.rows} rows; at least ${MIN_ROWS} are needed to train and to test`,
  );
  const { train, test } = splitRows(table, TEST_FRACTION, seed);
  const plain = ({ rows, values }: Table) => ({ rows, values });
  return {
    job: { kind: "table", name, columns: names, train: plain(train), test: plain(test) },
    standardisation: standardisation(
      train,
      names.map((column) => `${path}, ${/^column \d+$/.test(column) ? column : `column "${column}"`}`),
    ),
  };
}

/** A training run as plain data: what every rank needs to build the same model and draw the same batches. */
import type { ImageSource } from "../data/images/image-source.js";
import { noisyImages } from "../data/images/noisy-images.js";
import type * as OpenImageData from "../data/images/open-image-data.js";
import { type DataSource, tableSource, toySource } from "../data/source.js";
import { staircaseSource } from "../data/staircase.js";
import { WasmEngine } from "../engine/wasm/engine.js";
import type { FlowDeclaration } from "../flows/declaration.js";
import { Flow } from "../flows/flow.js";
import type { Communicator } from "../ranks/communicator.js";
import { Table } from "../table.js";
import type { TrainingOptions } from "./options.js";
import { Trainer, type TrainingState } from "./trainer.js";

interface PlainTable {
  readonly rows: number;
  readonly values: Float64Array;
}

/** What is trained on, as plain data. */
export type DataJob =
  | { kind: "toy"; name: string }
  | { kind: "staircase" }
  | { kind: "images"; source: ImageSource; flips: boolean }
  | { kind: "table"; name: string; columns: readonly string[]; train: PlainTable; test: PlainTable };

/** All but images. */
export type RowJob = Exclude<DataJob, { kind: "images" }>;

/** A training run as plain data, for `train`. */
export interface TrainingJob {
  /** What it draws its samples from. */
  data: DataJob;
  /** Of the flow, whose first weights the seed makes. */
  declaration: FlowDeclaration;
  /** How it is trained. */
  options: TrainingOptions;
  /** Where to go on from; null for a fresh start. */
  state: TrainingState | null;
}

/**
 * The source that a job names. Throws an `input` error for files that are no longer what they were, a `usage` one for an
 * unknown name.
 */
export async function dataSource(job: DataJob): Promise<DataSource> {
  if (job.kind === "images") {
    // Files are for Node alone; a bundle for browsers does without.
    const file = "../data/images/open-image-data.js";
    const { openImageData } = (await import(/* @vite-ignore */ file)) as typeof OpenImageData;
    return noisyImages(openImageData(job.source), job);
  }
  return rowSource(job);
}

/** The source of a job whose samples are drawn or in memory. */
export function rowSource(job: RowJob): DataSource {
  if (job.kind === "toy") return toySource(job.name);
  if (job.kind === "staircase") return staircaseSource;
  const table = ({ rows, values }: PlainTable) => new Table(rows, job.columns.length, values);
  return tableSource(job.name, table(job.train), table(job.test), job.columns);
}

/** This rank's trainer, with an engine of its own. */
export async function createTrainer(job: TrainingJob, communicator: Communicator): Promise<Trainer> {
  const { seed } = job.options;
  const flow = await Flow.create(job.declaration, { engine: await WasmEngine.create(), seed });
  const trainer = new Trainer(flow, await dataSource(job.data), job.options, communicator);
  if (job.state) trainer.restore(job.state);
  return trainer;
}

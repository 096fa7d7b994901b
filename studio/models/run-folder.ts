/** A run directory as a ZIP file, as the command line reads it once it is unpacked. */
import { strToU8, zipSync } from "fflate";
import { formatCsv, manifestOf, type RunConfig, sha256, Table, TEST_FRACTION } from "../library.js";
import type { Data, OwnTable } from "./data.js";
import type { ModelResult } from "./messages.js";
import type { Training } from "./training.js";

/** The file of the reader's own data in the directory. */
const DATA_FILE = "data.csv";

export interface RunContent {
  /** Of the directory, and of the ZIP file without its ending. */
  name: string;
  preset: string;
  data: Data;
  training: Training;
  model: ModelResult;
}

export function runFolder({ name, preset, data, training, model }: RunContent): Uint8Array<ArrayBuffer> {
  const { job, threads, schedule } = training;
  const { batch, seed, learningRate, l2 } = job.options;
  const table = data.own ? ownCsv(data.own) : null;
  const config: RunConfig = {
    format: 2,
    version: STUDIO_VERSION,
    preset,
    data:
      table === null || data.own === null
        ? { kind: "toy", name: data.title }
        : {
            kind: "table",
            path: DATA_FILE,
            columns: [...data.own.columns],
            sha256: sha256(table),
            testFraction: TEST_FRACTION,
          },
    training: {
      steps: model.step,
      batch,
      seed,
      learningRate,
      ...(schedule.length > 0 ? { schedule } : {}),
      l2,
    },
    threads,
    checkpointEvery: 500,
    flow: job.declaration,
  };
  const speed = training.stepsPerSecond.value;
  const summary = {
    run: name,
    data: data.title,
    steps: model.step,
    testLoss: model.testLoss,
    standardError: model.standardError,
    unit: "nats",
    entropy: data.entropy,
    gap: data.entropy === null ? null : model.testLoss - data.entropy,
    msPerStep: Number.isFinite(speed) ? 1000 / speed : null,
    seconds: Number.isFinite(speed) ? model.step / speed : 0,
    unconverged: training.unconverged.value,
  };
  const json = (value: unknown) => strToU8(`${JSON.stringify(value, null, 2)}\n`);
  const files = {
    "config.json": json(config),
    "flow.json": model.declaration,
    "model.safetensors": model.weights,
    "summary.json": json(summary),
    ...(table ? { [DATA_FILE]: table } : {}),
  };
  // The hash of the data stands in config.json.
  const { [DATA_FILE]: _, ...listed } = files;
  const all = { ...files, "manifest.json": strToU8(manifestOf(listed)) };
  // Full paths: a folder in its own right would become an entry without content.
  const entries = Object.entries(all).map(([file, content]) => [`${name}/${file}`, content] as const);
  return zipSync(Object.fromEntries(entries), { level: 6 });
}

export function ownCsv({ values, columns }: OwnTable): Uint8Array<ArrayBuffer> {
  return strToU8(formatCsv(new Table(values.length / 2, 2, values), columns)) as Uint8Array<ArrayBuffer>;
}

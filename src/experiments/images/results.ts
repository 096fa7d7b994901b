/** What is known of a trained model: its losses, its size, and what `measure` found. */
import { join } from "node:path";
import type { DataSource } from "../../data/source.js";
import { check } from "../../errors.js";
import { withRanks } from "../../ranks/rank-maps.js";
import { type Metrics, Run } from "../../runs/run.js";
import { summarise } from "../../training/evaluate.js";
import type { Estimate } from "../estimate.js";
import { finishedPart } from "../reproduction-folder.js";
import { testLossesOf } from "../test-losses.js";
import { type Measures, measure } from "./measure.js";
import { type ImageTask, type Model, models, nameOf } from "./protocol.js";

export interface Result extends Measures {
  readonly model: Model;
  readonly metrics: readonly Metrics[];
  /** Of each test image, in bits per dimension. */
  readonly losses: Float64Array;
  readonly loss: Estimate;
  /** Network evaluations a block at the start and at the end of training. */
  readonly evaluations: readonly [number, number];
  /** Samples whose solver missed its tolerance, over all blocks and steps. */
  readonly unconverged: number;
}

/** The four models of a data set. */
export interface TaskResult {
  readonly task: ImageTask;
  readonly images: NonNullable<DataSource["image"]>;
  readonly trained: number;
  readonly tested: number;
  readonly results: readonly Result[];
}

export function resultFor(results: readonly Result[], { formulation, activation }: Model): Result {
  const found = results.find(
    ({ model }) => model.formulation === formulation && model.activation === activation,
  );
  check(found !== undefined, "internal", `there is no model of ${formulation} and ${activation}`);
  return found;
}

/** By how much the loss of `lower` is below that of `higher`, image by image, and its paired test error. */
export const advantage = (lower: Result, higher: Result): Estimate => difference(higher.losses, lower.losses);

/** Mean of a - b, pair by pair. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): Estimate {
  const { loss, standardError } = summarise(Float64Array.from(a, (value, i) => b[i] - value));
  return { value: loss, standardError };
}

/** Reads the finished runs of a task; what their flows do is measured once and kept in the folder. */
export async function resultsOf(
  task: ImageTask,
  source: DataSource,
  folder: string,
  threads: number,
  progress: (line: string) => void,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const model of models) {
    const name = nameOf(task, model);
    const run = Run.open(join(folder, "runs", name));
    const losses = testLossesOf(run);
    const measures = await finishedPart(join(folder, "measures"), name, async () => {
      progress(`${name}: samples, reconstructions and exact log-determinants where they can be had`);
      const flow = await run.loadModel();
      const { seed } = run.config.training;
      return await withRanks(flow, (maps) => measure(flow, maps, source, seed, losses.length), {
        ranks: threads,
      });
    });
    results.push(resultOf(run, model, losses, measures));
  }
  return results;
}

export function resultOf(run: Run, model: Model, losses: Float64Array, measures: Measures): Result {
  const { testLoss, standardError } = run.requireTest();
  const metrics = run.metrics();
  return {
    ...measures,
    model,
    metrics,
    losses,
    loss: { value: testLoss, standardError: standardError ?? Number.NaN },
    evaluations: [metrics[0].evaluations, metrics[metrics.length - 1].evaluations],
    unconverged: metrics.reduce((sum, line) => sum + line.unconverged, 0),
  };
}

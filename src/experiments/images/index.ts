/** `reproduce images`: residual against monotone blocks, CLipSwish against CPila, on images. */
import { join } from "node:path";
import type { DataSource } from "../../data/source.js";
import { check } from "../../errors.js";
import type { ResolvedData } from "../../presets/data.js";
import { testSamples } from "../../runs/train-run.js";
import { dataSource } from "../../training/job.js";
import type { Reproduction } from "../reproduction.js";
import { trainRuns } from "../train-runs.js";
import { configOf, type ImageTask, imagesOf, models, nameOf, planOf, presetOf } from "./protocol.js";
import { reportOf } from "./report.js";
import { resultsOf, type TaskResult } from "./results.js";

export const reproduction: Reproduction = {
  name: "images",
  description: "images, residual against monotone blocks and CLipSwish against CPila",
  takesImages: true,

  async settings(options) {
    const { quick, seed, dataDir } = options;
    const tasks = [];
    for (const task of planOf(options).tasks) {
      const { images, trained, tested } = factsOf(await imagesOf(task, dataDir, seed));
      const { flow, training, flips } = presetOf(task);
      tasks.push({ ...task, images, trained, tested, flow, training, flips });
    }
    return { quick, seed, models, tasks };
  },

  async run({ folder, threads, progress, ...options }) {
    const { quick, seed, dataDir } = options;
    const { tasks, missing } = planOf(options);
    const opened: { task: ImageTask; data: ResolvedData }[] = [];
    for (const task of tasks) {
      const data = await imagesOf(task, dataDir, seed);
      for (const sentence of data.remarks ?? []) progress(sentence);
      opened.push({ task, data });
    }
    const planned = opened.flatMap(({ task, data }) =>
      models.map((model) => ({
        path: join(folder, "runs", nameOf(task, model)),
        config: configOf(task, model, data, seed),
      })),
    );
    // The last data sets and models take longest: they are started first.
    await trainRuns(planned.reverse(), threads, progress);
    const results: TaskResult[] = [];
    for (const { task, data } of opened) {
      const source = await dataSource(data.job);
      const ofModels = await resultsOf(task, source, folder, threads, progress);
      results.push({ task, ...factsOf(data), results: ofModels });
    }
    progress("drawing pictures");
    return reportOf(results, missing, quick, options.origin);
  },
};

/** What the report says of the images. */
function factsOf({ job }: ResolvedData): Pick<TaskResult, "images" | "trained" | "tested"> {
  check(job.kind === "images", "internal", "this experiment is of images");
  const { shape, levels, trainCount, testCount } = job.source;
  const images: NonNullable<DataSource["image"]> = { shape, levels };
  return { images, trained: trainCount, tested: Math.min(testCount, testSamples) };
}

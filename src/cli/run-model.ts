/** The model of a finished run, and the data it was trained on. */

import type { DataSource } from "../data/source.js";
import { reloadData } from "../experiments/data.js";
import type { Flow } from "../flows/flow.js";
import { dataSource } from "../training/job.js";
import { Run } from "../training/run.js";
import { remark } from "./output.js";

export async function openModel(path: string): Promise<{ run: Run; flow: Flow }> {
  const run = Run.open(path);
  const flow = await run.loadModel();
  const unguarded = run.remark();
  if (unguarded !== null) remark(unguarded);
  return { run, flow };
}

export async function trainingSource(run: Run): Promise<DataSource> {
  return await dataSource((await reloadData(run.config.data, run.config.training.seed, run.path)).job);
}

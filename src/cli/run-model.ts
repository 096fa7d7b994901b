/** The model of a finished run, and the data it was trained on. */

import type { DataSource } from "../data/source.js";
import { check } from "../errors.js";
import { uncertifiedBlocks } from "../flows/certificate.js";
import type { Flow } from "../flows/flow.js";
import { reloadData } from "../presets/data.js";
import { Run, type RunConfig, type Summary } from "../runs/run.js";
import { dataSource } from "../training/job.js";
import { remark } from "./output.js";

export async function openModel(path: string): Promise<{ run: Run; flow: Flow }> {
  const run = Run.open(path);
  const flow = await run.loadModel();
  const unguarded = run.remark();
  if (unguarded !== null) remark(unguarded);
  return { run, flow };
}

/**
 * Steps that a run's model was trained for, by its own files; of a model that earlier versions wrote, by its summary or else
 * the run's configuration, which may have more. An imported one does not say.
 */
export function stepsOf(
  { config, summary }: { config: RunConfig; summary: Summary | null },
  flow: Pick<Flow, "steps">,
) {
  return flow.steps ?? summary?.steps ?? (config.origin ? null : config.training.steps);
}

/**
 * As `openModel`, and whether all blocks are certified; throws a `run` error where one is not, unless that is wanted: then
 * a remark says so.
 */
export async function openCertified(
  path: string,
  { uncertified = false }: { uncertified?: boolean },
): Promise<{ run: Run; flow: Flow; certified: boolean }> {
  const opened = await openModel(path);
  const [worst] = uncertifiedBlocks(opened.flow).sort((a, b) => b.lipschitzBound - a.lipschitzBound);
  if (uncertified && worst !== undefined) {
    remark(
      `${path} is not certified: nothing proves that block ${worst.block} is invertible; solves may fail, and log-determinants be wrong`,
    );
    return { ...opened, certified: false };
  }
  check(
    worst === undefined,
    "run",
    `${path}: nothing proves that block ${worst?.block} is invertible, as the bound on its network's Lipschitz constant is ` +
      `${worst?.lipschitzBound.toFixed(4)}, not below 1; verify says more, and --uncertified goes on all the same`,
  );
  return { ...opened, certified: true };
}

export async function trainingSource(run: Run): Promise<DataSource> {
  return await dataSource((await reloadData(run.config.data, run.config.training.seed, run.path)).job);
}

/** `reproduce 1d`: which flows follow a staircase of slopes 1/20 and 20. */
import { join } from "node:path";
import { Run } from "../../runs/run.js";
import type { Reproduction } from "../reproduction.js";
import { trainRuns } from "../train-runs.js";
import { configOf } from "./config.js";
import { measure } from "./measure.js";
import { full, quick, type Variant, variants } from "./protocol.js";
import { type Result, reportOf } from "./report.js";

export const reproduction: Reproduction = {
  name: "1d",
  description: "1-D fitting, four flows and a staircase",

  settings(options) {
    return { ...options, ...(options.quick ? quick : full), variants };
  },

  async run({ folder, quick: isQuick, seed, threads, progress }) {
    const protocol = isQuick ? quick : full;
    const path = ({ name }: Variant) => join(folder, "runs", name);
    // The last variant takes longest: it is started first.
    const planned = variants
      .map((variant) => ({ path: path(variant), config: configOf(variant, protocol, seed) }))
      .reverse();
    await trainRuns(planned, threads, progress);
    const results = await Promise.all(variants.map((variant) => resultOf(variant, path(variant))));
    return reportOf(results, protocol.factor, isQuick);
  },
};

/** What a finished run has left. */
async function resultOf({ title }: Variant, path: string): Promise<Result> {
  const run = Run.open(path);
  const flow = await run.loadModel();
  const metrics = run.metrics();
  return {
    title,
    measures: await measure(flow),
    metrics,
    parameters: flow.parameters.values.length,
  };
}

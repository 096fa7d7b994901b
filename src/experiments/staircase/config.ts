/** The configuration of a variant's run directory. */
import { version } from "../../manifest.js";
import { RUN_FORMAT, type RunConfig } from "../../runs/run.js";
import { declarationOf, type Protocol, type Variant } from "./protocol.js";

/** One rank a run: the results then do not depend on how many are trained at a time. */
export function configOf(variant: Variant, protocol: Protocol, seed: number): RunConfig {
  const schedule = protocol.training.schedule?.map((change) => ({ ...change }));
  return {
    format: RUN_FORMAT,
    version,
    preset: variant.title,
    data: { kind: "staircase" },
    training: { ...protocol.training, schedule, seed, objective: "regression" },
    threads: 1,
    checkpointEvery: 500,
    flow: declarationOf(variant, protocol),
  };
}

/** Run directories for tests: one that is made without training, and changes that its manifest hides. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ReferenceEngine } from "../../src/engine/reference/engine.js";
import { Flow } from "../../src/flows/flow.js";
import { MANIFEST_FILE, manifestOf } from "../../src/flows/manifest.js";
import { encodeFlow } from "../../src/flows/model-encoding.js";
import { monotoneFlow } from "../../src/flows/monotone-flow.js";
import { type Checkpoint, loadCheckpoint, saveCheckpoint } from "../../src/runs/checkpoint.js";
import { RUN_FORMAT, Run, type RunConfig } from "../../src/runs/run.js";

export const engine = new ReferenceEngine();

export function tinyConfig(
  options: { formulation?: "residual" | "monotone"; seed?: number } = {},
): RunConfig {
  const { seed = 0, ...flow } = options;
  return {
    format: RUN_FORMAT,
    version: "0.0.0",
    preset: "tiny",
    data: { kind: "toy", name: "moons" },
    training: { steps: 20, batch: 10, seed, learningRate: 1e-3, l2: 0 },
    threads: 1,
    checkpointEvery: 10,
    flow: monotoneFlow({ dim: 2, blocks: 1, growth: 4, depth: 1, ...flow }),
  };
}

/** A finished run of a flow of one small block. */
export async function finishedRun(path: string, config = tinyConfig()): Promise<Run> {
  const run = Run.create(path, config);
  const { seed, steps } = config.training;
  const flow = await Flow.create(config.flow, { engine, seed });
  for (const step of [10, 20]) {
    run.appendMetrics({ step, loss: 2 - step / 100, evaluations: 5, unconverged: 0, seconds: step / 10 });
  }
  saveCheckpoint(run.file("checkpoint"), checkpointOf(flow, steps), run.identity);
  run.writeModel(encodeFlow(flow));
  run.writeSummary({
    steps,
    testLoss: 1.8,
    standardError: 0.01,
    unit: "nats",
    entropy: null,
    msPerStep: 1,
    seconds: 2,
  });
  return run;
}

export function checkpointOf(flow: Flow, step: number): Checkpoint {
  const { list, values } = flow.parameters;
  return {
    step,
    parameters: new Map(list.map((p) => [p.name, p.values.slice()])),
    first: values.map((x) => x / 10),
    second: values.map((x) => x * x),
    sums: new Float64Array(4),
  };
}

/** Makes the manifest list the files as they are now. */
export function reseal(path: string): void {
  const names = ["config.json", "flow.json", "model.safetensors", "summary.json", "metrics.jsonl"];
  const there = names.filter((name) => existsSync(join(path, name)));
  const contents = Object.fromEntries(there.map((name) => [name, readFileSync(join(path, name))]));
  writeFileSync(join(path, MANIFEST_FILE), manifestOf(contents));
}

/** Changes the configuration of a run, in its checkpoint, too, as if it had been started so. */
// biome-ignore lint/suspicious/noExplicitAny: whatever a test makes of it
export function reconfigure(path: string, change: (config: any) => void): void {
  const run = Run.open(path);
  const state = loadCheckpoint(run.file("checkpoint"), run);
  change(run.config);
  run.writeConfig();
  if (state) saveCheckpoint(run.file("checkpoint"), state, run.identity);
}

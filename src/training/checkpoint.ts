/** Checkpoints: all that the next step depends on, in one safetensors file a checkpoint, the newest one kept. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { check } from "../errors.js";
import { readFile, writeFileAtomically } from "../flows/files.js";
import { decodeSafetensors, encodeSafetensors } from "../flows/safetensors.js";
import type { TrainingState } from "./trainer.js";

const FILE = /^step-(\d+)\.safetensors$/;
const PARAMETER = "parameters/";
const MOMENTS = ["adam/first", "adam/second"] as const;

/** The checkpoints in a folder, newest first. */
function checkpoints(folder: string): string[] {
  let names: string[] = [];
  try {
    names = readdirSync(folder);
  } catch {} // No folder: no checkpoints.
  const step = (name: string) => Number(FILE.exec(name)?.[1]);
  return names.filter((name) => FILE.test(name)).sort((a, b) => step(b) - step(a));
}

/** Writes a checkpoint, and only then removes the older ones. Returns the file's path. */
export function saveCheckpoint(folder: string, state: TrainingState): string {
  const older = checkpoints(folder);
  const flat = (values: Float64Array) => ({ shape: [values.length], values });
  const tensors = new Map([
    ...[...state.parameters].map(([name, values]) => [PARAMETER + name, flat(values)] as const),
    [MOMENTS[0], flat(state.first)],
    [MOMENTS[1], flat(state.second)],
  ]);
  const name = `step-${String(state.step).padStart(8, "0")}.safetensors`;
  writeFileAtomically(
    join(folder, name),
    encodeSafetensors({ tensors, metadata: { step: String(state.step) } }),
  );
  for (const old of older) if (old !== name) rmSync(join(folder, old), { force: true });
  return join(folder, name);
}

/** The newest checkpoint, or null where there is none. Throws an `input` error if it is not readable. */
export function loadCheckpoint(folder: string): TrainingState | null {
  const newest = checkpoints(folder)[0];
  if (newest === undefined) return null;
  const file = join(folder, newest);
  const { tensors, metadata } = decodeSafetensors(readFile(file), file);
  const [first, second] = MOMENTS.map((name) => tensors.get(name)?.values);
  const step = Number(metadata.step);
  check(
    first !== undefined && second !== undefined && Number.isInteger(step),
    "input",
    `${file} is not a checkpoint`,
  );
  const parameters = new Map<string, Float64Array>();
  for (const [name, { values }] of tensors) {
    if (name.startsWith(PARAMETER)) parameters.set(name.slice(PARAMETER.length), values);
  }
  return { step, parameters, first, second };
}

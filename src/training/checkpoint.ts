/**
 * Checkpoints: all that the next step depends on, in one safetensors file a checkpoint, the newest one kept. Beside
 * the training state stand the running sums of the line of metrics that is not written yet.
 */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { check } from "../errors.js";
import { readFile, writeFileAtomically } from "../flows/files.js";
import { decodeSafetensors, encodeSafetensors } from "../flows/safetensors.js";
import type { TrainingState } from "./trainer.js";

const FILE = /^step-(\d+)\.safetensors$/;
/** What a process that was killed while it wrote has left. */
const PARTIAL = /^step-\d+\.safetensors\.\d+\.partial$/;
const PARAMETER = "parameters/";
const MOMENTS = ["adam/first", "adam/second"] as const;
const AVERAGE = "average";
const SUMS = "metrics/sums";

export interface Checkpoint extends TrainingState {
  /** Running sums of the next line of metrics; empty where there are none. */
  sums: Float64Array;
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // No folder: no checkpoints.
  }
}

/** The checkpoints in a folder, newest first. */
function checkpoints(folder: string): string[] {
  const step = (name: string) => Number(FILE.exec(name)?.[1]);
  return names(folder)
    .filter((name) => FILE.test(name))
    .sort((a, b) => step(b) - step(a));
}

/** Writes a checkpoint, and only then removes the older ones. Returns the file's path. */
export function saveCheckpoint(folder: string, state: Checkpoint): string {
  const older = names(folder).filter((name) => FILE.test(name) || PARTIAL.test(name));
  const flat = (values: Float64Array) => ({ shape: [values.length], values });
  const tensors = new Map([
    ...[...state.parameters].map(([name, values]) => [PARAMETER + name, flat(values)] as const),
    [MOMENTS[0], flat(state.first)],
    [MOMENTS[1], flat(state.second)],
    [SUMS, flat(state.sums)],
    ...(state.average ? [[AVERAGE, flat(state.average)] as const] : []),
  ]);
  const name = `step-${String(state.step).padStart(8, "0")}.safetensors`;
  writeFileAtomically(
    join(folder, name),
    encodeSafetensors({ tensors, metadata: { step: String(state.step) } }),
  );
  for (const old of older) if (old !== name) rmSync(join(folder, old), { force: true });
  return join(folder, name);
}

/** The newest complete checkpoint, or null where there is none at all. Throws an `input` error if none is complete. */
export function loadCheckpoint(folder: string): Checkpoint | null {
  let damage: unknown = null;
  for (const name of checkpoints(folder)) {
    try {
      return read(join(folder, name));
    } catch (error) {
      damage ??= error;
    }
  }
  if (damage !== null) throw damage;
  return null;
}

function read(file: string): Checkpoint {
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
  const sums = tensors.get(SUMS)?.values ?? new Float64Array(0);
  const average = tensors.get(AVERAGE)?.values;
  return { step, parameters, first, second, sums, ...(average ? { average } : {}) };
}

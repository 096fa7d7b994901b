/**
 * Checkpoints: all that the next step depends on, in one safetensors file a checkpoint, the newest one kept. Beside
 * the training state stand the running sums of the line of metrics that is not written yet. A checkpoint carries its
 * checksum and the identity of its run.
 */
import { lstatSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { check, FlowError, quoted } from "../errors.js";
import { readFile, reason, writeFileAtomically } from "../files.js";
import { decodeSafetensors, encodeSafetensors, type Tensor, type Tensors } from "../flows/safetensors.js";
import { firstBeyondFloat32 } from "../model/parameters.js";
import type { TrainingState } from "../training/trainer.js";

const FILE = /^step-(\d+)\.safetensors$/;
/** What a process that was killed while it wrote has left. */
const PARTIAL = /^step-\d+\.safetensors\.\d+\.partial$/;
const FORMAT = "monotone-flows checkpoint";
const PARAMETER = "parameters/";
const MOMENTS = ["adam/first", "adam/second"] as const;
const AVERAGE = "average";
const SUMS = "metrics/sums";
/** Numbers of the sums, where there are any. */
const SUM_COUNT = 4;

export interface Checkpoint extends TrainingState {
  /** Running sums of the next line of metrics; empty where there are none. */
  sums: Float64Array;
}

/** Whose checkpoints are read. */
export interface Owner {
  /** The run's identity. */
  readonly identity: string;
  /** Whether the run was started by a version that wrote neither checksums nor identities. */
  readonly withoutChecksums: boolean;
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT" && !lstatSync(folder, { throwIfNoEntry: false }))
      return []; // No checkpoints yet.
    throw new FlowError("run", `cannot read ${folder}: ${reason(cause)}`, { cause });
  }
}

/** The checkpoints in a folder, newest first. */
function checkpoints(folder: string): string[] {
  const step = (name: string) => Number(FILE.exec(name)?.[1]);
  return names(folder)
    .filter((name) => FILE.test(name))
    .sort((a, b) => step(b) - step(a));
}

/**
 * Writes a checkpoint, and only then removes the older ones. Returns the file's path. Throws a `numerical` error,
 * and writes nothing, if a number is not finite.
 */
export function saveCheckpoint(folder: string, state: Checkpoint, identity: string): string {
  const older = names(folder).filter((name) => FILE.test(name) || PARTIAL.test(name));
  const bytes = encodeCheckpoint(state, identity);
  const name = `step-${String(state.step).padStart(8, "0")}.safetensors`;
  writeFileAtomically(join(folder, name), bytes);
  for (const old of older) if (old !== name) rmSync(join(folder, old), { force: true });
  return join(folder, name);
}

/** The bytes of a checkpoint. */
export function encodeCheckpoint(state: Checkpoint, identity: string): Uint8Array {
  const flat = (values: Float64Array): Tensor => ({ shape: [values.length], values });
  const tensors = new Map([
    ...[...state.parameters].map(([name, values]) => [PARAMETER + name, flat(values)] as const),
    [MOMENTS[0], flat(state.first)],
    [MOMENTS[1], flat(state.second)],
    [SUMS, flat(state.sums)],
    ...(state.average ? [[AVERAGE, flat(state.average)] as const] : []),
  ]);
  for (const [name, tensor] of tensors) {
    const complaint = complaintAbout(name, tensor);
    check(complaint === null, "numerical", `after step ${state.step} ${quoted(name)} ${complaint}`);
  }
  const metadata = { format: FORMAT, step: String(state.step), run: identity };
  return encodeSafetensors({ tensors, metadata }, { sealed: true });
}

/** The newest complete checkpoint, and why newer ones were passed over. */
export interface Found {
  readonly checkpoint: Checkpoint;
  readonly damage: readonly string[];
}

/**
 * The newest complete checkpoint of a run, or null where there is none at all. Throws an `input` or `run` error if none
 * is complete and of this run.
 */
export function findCheckpoint(folder: string, owner: Owner): Found | null {
  const errors: FlowError[] = [];
  for (const name of checkpoints(folder)) {
    const file = join(folder, name);
    try {
      const checkpoint = decodeCheckpoint(readFile(file, "run"), file, owner);
      const step = Number(FILE.exec(name)?.[1]);
      check(checkpoint.step === step, "input", `${file} holds step ${checkpoint.step}, not that of its name`);
      return { checkpoint, damage: errors.map(({ message }) => message) };
    } catch (error) {
      if (!(error instanceof FlowError)) throw error;
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
  return null;
}

/** As `findCheckpoint`, without saying what was passed over. */
export const loadCheckpoint = (folder: string, owner: Owner): Checkpoint | null =>
  findCheckpoint(folder, owner)?.checkpoint ?? null;

/** Reads the bytes of a checkpoint; throws an `input` error that names the file, or a `run` error for another run's. */
export function decodeCheckpoint(bytes: Uint8Array, file: string, owner: Owner): Checkpoint {
  const decoded = decodeSafetensors(bytes, file);
  const step = stepOf(decoded, file, owner);
  const parameters = new Map<string, Float64Array>();
  const others = new Map<string, Float64Array>();
  for (const [name, tensor] of decoded.tensors) {
    const complaint = complaintAbout(name, tensor);
    check(complaint === null, "input", `${file}: ${quoted(name)} ${complaint}`);
    if (name.startsWith(PARAMETER)) parameters.set(name.slice(PARAMETER.length), tensor.values);
    else others.set(name, tensor.values);
  }
  const [first, second] = MOMENTS.map((name) => others.get(name));
  const sums = others.get(SUMS) ?? new Float64Array(0);
  const average = others.get(AVERAGE);
  for (const name of [...MOMENTS, SUMS, AVERAGE]) others.delete(name);
  const [foreign] = others.keys();
  check(foreign === undefined, "input", `${file} holds ${quoted(foreign)}, which is no part of a checkpoint`);
  check(
    first !== undefined && second !== undefined && parameters.size > 0,
    "input",
    `${file} is not a checkpoint: it lacks parameters or the moments of Adam`,
  );
  check(
    sums.length === 0 || sums.length === SUM_COUNT,
    "input",
    `${file}: ${quoted(SUMS)} has ${sums.length} numbers, not ${SUM_COUNT}`,
  );
  return { step, parameters, first, second, sums, ...(average ? { average } : {}) };
}

/** The step that the metadata name, once they fit the run. */
function stepOf({ metadata, sealed }: Tensors, file: string, owner: Owner): number {
  const { format, step, run, ...others } = metadata;
  const [other] = Object.keys(others);
  check(
    other === undefined,
    "input",
    `${file} is damaged: its metadata have the unknown key ${quoted(other)}`,
  );
  const complete = sealed && format === FORMAT && run !== undefined;
  const early = !sealed && format === undefined && run === undefined;
  check(
    complete || (early && owner.withoutChecksums),
    "input",
    `${file} is not a checkpoint of this version, or is damaged: its metadata lack a checksum`,
  );
  check(
    run === undefined || run === owner.identity,
    "run",
    `${file} is the checkpoint of another run: of another flow, seed, data or training`,
  );
  const number = Number(step);
  check(
    /^(0|[1-9]\d*)$/.test(step ?? "") && Number.isSafeInteger(number),
    "input",
    `${file} names the step ${quoted(step)}, which is no number of steps`,
  );
  return number;
}

/** What is wrong with a tensor of a checkpoint, or null. */
function complaintAbout(name: string, { shape, values }: Tensor): string | null {
  if (shape.length !== 1) return `has the shape ${quoted(shape)}, not one size`;
  const weights = name.startsWith(PARAMETER) || name === AVERAGE;
  const wrong = weights ? firstBeyondFloat32(values) : values.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) return `holds ${values[wrong]}`;
  if (name === MOMENTS[1] && values.some((value) => value < 0)) return "holds a negative mean of squares";
  return null;
}

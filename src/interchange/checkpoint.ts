/** What the studies' training programs save: the model's tensors, the averaged ones, and the options of the program. */
import { check } from "../errors.js";
import { Instance, type Value } from "./pickle.js";
import { decodeTorch, Tensor } from "./pytorch.js";

/** An option of a training program, as Python's argparse has it. */
export type Option = string | number | boolean | null;
export type Options = Readonly<Record<string, Option>>;

export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** The parameters' exponential moving average, by the same names; null where the checkpoint has none. */
  readonly averaged: ReadonlyMap<string, Tensor> | null;
  /** The options that it was trained with; null where the checkpoint does not say. */
  readonly options: Options | null;
}

/** Names of a model in `torch.nn.DataParallel` start so. */
const PARALLEL = "module.";

/**
 * The checkpoint in a file's bytes: a dictionary with `state_dict`, and perhaps `args` and `ema`, or a state_dict by
 * itself. Throws an `input` error that calls the bytes `file`.
 */
export function decodeCheckpoint(bytes: Uint8Array, file: string): Checkpoint {
  const value = decodeTorch(bytes, file);
  check(
    value instanceof Map,
    "input",
    `${file} holds no dictionary, so it is no checkpoint of these studies`,
  );
  const state = value.get("state_dict") ?? value;
  const tensors = tensorsOf(state, file);
  check(
    tensors !== null && tensors.size > 0,
    "input",
    `${file} has no state_dict of tensors; its entries are ${[...value.keys()].slice(0, 10).join(", ")}`,
  );
  const ema = attributes(value.get("ema") ?? null);
  const averaged = tensorsOf(ema?.get("shadow_params") ?? null, file);
  const args = value.get("args") ?? null;
  return {
    tensors,
    averaged: averaged && averaged.size > 0 ? averaged : null,
    options: optionsOf(args instanceof Map ? args : attributes(args)),
  };
}

/** The attributes of an object. */
function attributes(value: Value): Map<Value, Value> | null {
  return value instanceof Instance && value.state instanceof Map ? value.state : null;
}

function tensorsOf(value: Value, file: string): Map<string, Tensor> | null {
  if (!(value instanceof Map)) return null;
  const all = [...value];
  if (!all.every(([name, tensor]) => typeof name === "string" && tensor instanceof Tensor)) return null;
  const named = all as [string, Tensor][];
  const parallel = named.every(([name]) => name.startsWith(PARALLEL));
  const plain = new Map(
    named.map(([name, tensor]) => [parallel ? name.slice(PARALLEL.length) : name, tensor]),
  );
  check(plain.size === named.length, "input", `${file} has two tensors of one name`);
  return plain;
}

function optionsOf(map: Map<Value, Value> | null): Options | null {
  if (!map) return null;
  const simple = (value: Value): value is Option =>
    value === null || /^(string|number|boolean)$/.test(typeof value);
  return Object.fromEntries([...map].filter(([name, value]) => typeof name === "string" && simple(value)));
}

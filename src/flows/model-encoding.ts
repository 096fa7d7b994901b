/** A flow as the contents of two files: its declaration as JSON, its weights as safetensors. Needs no file system. */
import type { Engine } from "../engine/engine.js";
import { FlowError } from "../errors.js";
import { parseDeclaration } from "./declaration.js";
import { Flow } from "./flow.js";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.js";

/** The names of the two files. */
export const DECLARATION_FILE = "flow.json";
export const WEIGHTS_FILE = "model.safetensors";

export interface EncodedFlow {
  /** The content of `flow.json`. */
  declaration: Uint8Array;
  /** The content of `model.safetensors`. */
  weights: Uint8Array;
}

export function encodeFlow(flow: Flow): EncodedFlow {
  const tensors = new Map(flow.parameters.list.map(({ name, shape, values }) => [name, { shape, values }]));
  return {
    declaration: new TextEncoder().encode(`${JSON.stringify(flow.declaration, null, 2)}\n`),
    weights: encodeSafetensors({ tensors, metadata: { format: "monotone-flows" } }),
  };
}

/**
 * The flow that `encodeFlow` has encoded.
 * @param options.names what errors call the two contents (default: the names of the two files)
 * @throws FlowError `input`, naming the content at fault
 */
export async function decodeFlow(
  { declaration, weights }: EncodedFlow,
  options: { engine?: Engine; capacity?: number; names?: { declaration: string; weights: string } } = {},
): Promise<Flow> {
  const { names = { declaration: DECLARATION_FILE, weights: WEIGHTS_FILE }, ...rest } = options;
  const parsed = parseDeclaration(parseJson(declaration, names.declaration), names.declaration);
  const { tensors } = decodeSafetensors(weights, names.weights);
  const flow = await Flow.create(parsed, rest);
  flow.parameters.load(new Map([...tensors].map(([name, { values }]) => [name, values])), names.weights);
  flow.prepare();
  return flow;
}

/** The value of a JSON file's bytes; throws an `input` error that names the file. */
export function parseJson(bytes: Uint8Array, path: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new FlowError("input", `${path} is not valid JSON; it may be half written`, { cause });
  }
}

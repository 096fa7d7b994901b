/** A flow on disk: its declaration as JSON, its weights as safetensors. */
import { join } from "node:path";
import type { Engine } from "../engine/engine.js";
import { FlowError } from "../errors.js";
import { parseDeclaration } from "./declaration.js";
import { readFile, writeFileAtomically } from "./files.js";
import { Flow } from "./flow.js";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.js";

const DECLARATION = "flow.json";
const WEIGHTS = "model.safetensors";

/** Writes `flow.json` and `model.safetensors` into a folder, which is made if need be. */
export function saveFlow(flow: Flow, folder: string): void {
  const tensors = new Map(flow.parameters.list.map(({ name, shape, values }) => [name, { shape, values }]));
  writeFileAtomically(
    join(folder, WEIGHTS),
    encodeSafetensors({ tensors, metadata: { format: "monotone-flows" } }),
  );
  writeFileAtomically(join(folder, DECLARATION), `${JSON.stringify(flow.declaration, null, 2)}\n`);
}

/** Reads a flow that `saveFlow` has written; throws an `input` error that names the file at fault. */
export async function loadFlow(
  folder: string,
  options: { engine?: Engine; capacity?: number } = {},
): Promise<Flow> {
  const path = join(folder, DECLARATION);
  const declaration = parseDeclaration(parseJson(readFile(path), path), path);
  const file = join(folder, WEIGHTS);
  const { tensors } = decodeSafetensors(readFile(file), file);
  const flow = await Flow.create(declaration, options);
  flow.parameters.load(new Map([...tensors].map(([name, { values }]) => [name, values])), file);
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

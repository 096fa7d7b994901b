/** A flow on disk: its declaration as JSON, its weights as safetensors. */
import { join } from "node:path";
import type { Engine } from "../engine/engine.js";
import { readFile, writeFileAtomically } from "./files.js";
import type { Flow } from "./flow.js";
import { DECLARATION_FILE, decodeFlow, encodeFlow, WEIGHTS_FILE } from "./model-encoding.js";

/** Writes `flow.json` and `model.safetensors` into a folder, which is made if need be. */
export function saveFlow(flow: Flow, folder: string): void {
  const { declaration, weights } = encodeFlow(flow);
  writeFileAtomically(join(folder, WEIGHTS_FILE), weights);
  writeFileAtomically(join(folder, DECLARATION_FILE), declaration);
}

/** Reads a flow that `saveFlow` has written; throws an `input` error that names the file at fault. */
export async function loadFlow(
  folder: string,
  options: { engine?: Engine; capacity?: number } = {},
): Promise<Flow> {
  const declaration = join(folder, DECLARATION_FILE);
  const weights = join(folder, WEIGHTS_FILE);
  const names = { declaration, weights };
  // In this order: a folder that is no model at all lacks its declaration.
  const encoded = { declaration: readFile(declaration), weights: readFile(weights) };
  return await decodeFlow(encoded, { ...options, names });
}

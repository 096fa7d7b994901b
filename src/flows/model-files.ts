/** A flow on disk: its declaration as JSON, its weights as safetensors. */
import { join } from "node:path";
import type { Engine } from "../engine/engine.js";
import { readFile, writeFileAtomically } from "../files.js";
import type { Flow } from "./flow.js";
import { readListing, writeListed } from "./listed-files.js";
import { checkListed } from "./manifest.js";
import { DECLARATION_FILE, decodeFlow, encodeFlow, WEIGHTS_FILE } from "./model-encoding.js";

/**
 * Writes `flow.json` and `model.safetensors` into a folder, which is made if need be; where it has a manifest, their
 * entries there, too. Throws a `numerical` error for weights that are not finite, an `output` error for a folder that
 * cannot be written.
 */
export function saveFlow(flow: Flow, folder: string): void {
  const { declaration, weights } = encodeFlow(flow);
  const contents = { [WEIGHTS_FILE]: weights, [DECLARATION_FILE]: declaration };
  if (readListing(folder)) writeListed(folder, contents);
  else
    for (const [name, content] of Object.entries(contents)) writeFileAtomically(join(folder, name), content);
}

/** Reads a flow that `saveFlow` has written; throws an `input` or `run` error that names the file at fault. */
export async function loadFlow(
  folder: string,
  options: { engine?: Engine; capacity?: number } = {},
): Promise<Flow> {
  const declaration = join(folder, DECLARATION_FILE);
  const weights = join(folder, WEIGHTS_FILE);
  const names = { declaration, weights };
  // In this order: a folder that is no model at all lacks its declaration.
  const encoded = { declaration: readFile(declaration), weights: readFile(weights) };
  const listing = readListing(folder);
  if (listing) {
    checkListed(listing, DECLARATION_FILE, encoded.declaration, declaration);
    checkListed(listing, WEIGHTS_FILE, encoded.weights, weights);
  }
  return await decodeFlow(encoded, { ...options, names });
}

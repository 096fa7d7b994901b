import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Engine } from "../../src/engine/engine.js";
import { ReferenceEngine } from "../../src/engine/reference/engine.js";
import { WasmEngine } from "../../src/engine/wasm/engine.js";
import { deferredEngine } from "../support/deferred-engine.js";

/** Reads one file of golden vectors, from GOLDEN_DIR where that is set. */
export function golden(name: string) {
  const directory = process.env.GOLDEN_DIR ?? fileURLToPath(new URL(".", import.meta.url));
  return JSON.parse(readFileSync(`${directory}/${name}.json`, "utf8"));
}

export const engines: [string, number, () => Promise<Engine>][] = [
  ["reference", 1e-9, async () => new ReferenceEngine()],
  // Calls enqueue, only reads wait.
  ["deferred", 1e-9, async () => deferredEngine()],
  ["wasm", 2e-4, () => WasmEngine.create()],
  ["wasm without relaxed SIMD", 2e-4, () => WasmEngine.create({ relaxed: false })],
];

type Nested = number | Nested[];
export const flatten = (values: Nested): number[] => [values].flat(9) as number[];

/** The largest difference, relative to the largest expected value. */
export function relativeError(actual: ArrayLike<number>, expected: Nested): number {
  const flat = flatten(expected);
  if (flat.length !== actual.length) throw new Error(`${actual.length} numbers, expected ${flat.length}`);
  const scale = Math.max(...flat.map(Math.abs), 1e-12);
  return Math.max(...flat.map((e, i) => Math.abs(actual[i] - e))) / scale;
}

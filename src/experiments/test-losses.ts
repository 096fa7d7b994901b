/** The loss of each test image of a finished run: scoring takes long, and differences of models are known best pair by pair. */
import { readNpy, writeNpy } from "../data/npy.js";
import { readFile, writeFileAtomically } from "../files.js";
import type { Run } from "../runs/run.js";
import { Table } from "../table.js";

const FILE = "test-losses.npy";

/** Keeps the losses beside the run's model, in the unit of its score. */
export function keepTestLosses(run: Run, losses: Float64Array): void {
  writeFileAtomically(run.file(FILE), writeNpy(new Table(losses.length, 1, losses)));
}

/** Throws a `run` error if they are not there. */
export function testLossesOf(run: Run): Float64Array {
  const path = run.file(FILE);
  return readNpy(readFile(path, "run"), path).values;
}

/**
 * Makes a model of the studio of a run: `npx tsx scripts/assets/studio-model.ts RUN FOLDER`. The weights are rounded to
 * float32, with which the kernels compute anyway: half the size.
 */
import { join } from "node:path";
import { readFile, writeFileAtomically } from "../../src/files.js";
import { DECLARATION_FILE, WEIGHTS_FILE } from "../../src/flows/model-encoding.js";
import { decodeSafetensors, encodeSafetensors } from "../../src/flows/safetensors.js";

const [run, folder] = process.argv.slice(2);
for (const name of ["config.json", DECLARATION_FILE]) {
  writeFileAtomically(join(folder, name), readFile(join(run, name)));
}
const weights = join(run, WEIGHTS_FILE);
const tensors = decodeSafetensors(readFile(weights), weights);
writeFileAtomically(
  join(folder, WEIGHTS_FILE),
  encodeSafetensors(tensors, { dtype: "F32", sealed: tensors.sealed }),
);

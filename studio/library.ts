/**
 * The parts of the library's public surface (src/browser.ts) that the studio uses, without those that start workers of
 * their own: a bundler would pack these workers once more into every bundle that imports them.
 */
export { type CsvTable, csvColumns, formatCsv, parseCsv } from "../src/data/csv.js";
export { pixelTable } from "../src/data/images/pixels.js";
export { toySource } from "../src/data/source.js";
export { type ToyDensity, toyDensities, toyDensity } from "../src/data/toy/index.js";
export { ReferenceEngine } from "../src/engine/reference/engine.js";
export { FlowError } from "../src/errors.js";
export { uncertifiedBlocks } from "../src/flows/certificate.js";
export { type FlowDeclaration, parseDeclaration } from "../src/flows/declaration.js";
export { FailedRows } from "../src/flows/failed-rows.js";
export { Flow } from "../src/flows/flow.js";
export { parseJson } from "../src/flows/json.js";
export { checkListed, manifestOf, parseManifest } from "../src/flows/manifest.js";
export { decodeFlow, encodeFlow } from "../src/flows/model-encoding.js";
export { type Formulation, flowSchema, monotoneFlow } from "../src/flows/monotone-flow.js";
export { flowPath } from "../src/flows/path.js";
export { sha256 } from "../src/flows/sha256.js";
export { sumOf, type Term } from "../src/flows/terms.js";
export { optionFacts } from "../src/options.js";
export { logTicks, type Tick } from "../src/plots/log-ticks.js";
export { defaultSteps, type Preset, presets } from "../src/presets/presets.js";
export { TEST_FRACTION, tableJob } from "../src/presets/table-job.js";
export type { RunConfig } from "../src/runs/run.js";
export { Table } from "../src/table.js";
export { summarise } from "../src/training/evaluate.js";
export { type RowJob, rowSource, type TrainingJob } from "../src/training/job.js";
export { meanInWords } from "../src/training/mean-in-words.js";
export { fitSchema } from "../src/training/options.js";
export type { StepResult, Trainer, TrainingState } from "../src/training/trainer.js";

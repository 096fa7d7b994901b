/** The public surface in a browser: everything but files. */

export type { Activation } from "./activations/activation.js";
export { activation, activations } from "./activations/index.js";
export type { Base } from "./bases/base.js";
export type { BaseDeclaration } from "./bases/index.js";
export type { Bijection } from "./bijections/bijection.js";
export {
  type BijectionDeclaration,
  type RegisteredBijections,
  type RegisterOptions,
  registerBijection,
} from "./bijections/index.js";
export type { BijectionKind, CostSum, Site } from "./bijections/kind.js";
export type { Regime } from "./bijections/regime.js";
export { type CsvTable, csvColumns, formatCsv, parseCsv } from "./data/csv.js";
export { decodeDigits, fetchDigits } from "./data/images/digits.js";
export type { ImageData, ImageSet, ImageShape } from "./data/images/image-set.js";
export { type AsyncSource, type DataSource, tableSource, toySource } from "./data/source.js";
export { type ToyDensity, toyDensities, toyDensity } from "./data/toy/index.js";
export {
  type Engine,
  type Grid,
  type Matrix,
  matrix,
  type NewtonStage,
  type NewtonStatus,
  type Tensor,
} from "./engine/engine.js";
export type { Arithmetic, PointwiseJet, PointwiseMap } from "./engine/pointwise.js";
export { ReferenceEngine } from "./engine/reference/engine.js";
export { WasmEngine } from "./engine/wasm/engine.js";
export { type Advice, type ErrorCode, FlowError } from "./errors.js";
export { type Certificate, certify } from "./flows/certificate.js";
export type { FlowDeclaration } from "./flows/declaration.js";
export { FailedRows } from "./flows/failed-rows.js";
export { Flow } from "./flows/flow.js";
export type { FlowMaps, MapOptions, SampleOptions, ScoreOptions } from "./flows/flow-maps.js";
export { decodeFlow, type EncodedFlow, encodeFlow } from "./flows/model-encoding.js";
export { type FlowOptions, type Formulation, monotoneFlow } from "./flows/monotone-flow.js";
export { type FlowPath, flowPath, type PathOptions } from "./flows/path.js";
export type { Samples } from "./flows/samples.js";
export type { Term } from "./flows/terms.js";
export { type Exported, exportCheckpoint } from "./interchange/export.js";
export {
  type CheckpointInfo,
  type Imported,
  type ImportOptions,
  importCheckpoint,
  inspectCheckpoint,
  latentOrder,
} from "./interchange/import.js";
export type { Study } from "./interchange/study-options.js";
export type { Kind, Schema } from "./kinds.js";
export type { PassKey } from "./logdet/probes.js";
export type { GradientSource } from "./model/gradients.js";
export type { Parameter, ParameterMaker, Parameters } from "./model/parameters.js";
export type { Random } from "./model/random.js";
export type { NetworkDeclaration } from "./networks/declaration.js";
export { type Preset, presets } from "./presets/presets.js";
export { type TableJob, TEST_FRACTION, tableJob } from "./presets/table-job.js";
export { RankMaps, type RankMapsOptions, withRanks } from "./ranks/rank-maps.js";
export type { RankProgram } from "./ranks/worker.js";
export type { RunConfig } from "./runs/run.js";
export type { Shape } from "./shape.js";
export type { SolverCounts } from "./solvers/newton.js";
export { Table } from "./table.js";
export { type Evaluation, evaluate } from "./training/evaluate.js";
export { type FitOptions, fit } from "./training/fit.js";
export { type DataJob, dataSource, type TrainingJob } from "./training/job.js";
export type { ObjectiveName } from "./training/objectives.js";
export type { TrainingOptions } from "./training/options.js";
export type { RateChange } from "./training/schedule.js";
export { type Trained, type TrainingHooks, train } from "./training/train.js";
export type { StepResult, Trainer, TrainingState } from "./training/trainer.js";

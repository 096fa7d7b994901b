/** What the page and its workers tell each other. */
import type { FlowDeclaration, RowJob, Term, TrainingJob, TrainingState } from "../library.js";

/** The parameters of a flow at some step, by name. */
export interface Snapshot {
  readonly step: number;
  readonly parameters: ReadonlyMap<string, Float64Array>;
}

// To the worker that trains.
export type TrainingOrder =
  | { kind: "start"; job: TrainingJob; threads: number; until: number; pictures: MessagePort }
  /** Train up to this step, and wait there. */
  | { kind: "until"; step: number }
  | { kind: "rate"; value: number };

/** From the worker that trains. */
export type TrainingNews =
  | { kind: "started"; threads: number; remark: string | null; parameters: number }
  | {
      kind: "progress";
      /** Steps done. */
      step: number;
      /** The losses of the steps since the last news, in nats. */
      losses: Float64Array;
      /** Network evaluations a block, mean over the steps since the last news. */
      evaluations: number;
      /** Solves that missed their tolerance since the last news. */
      unconverged: number;
      /** Milliseconds spent in the steps since the last news. */
      milliseconds: number;
    }
  /** The learning rate has changed from a step on, counted from 0. */
  | { kind: "rate"; from: number; value: number }
  /** Where training can go on from. */
  | { kind: "state"; state: TrainingState }
  | { kind: "failed"; message: string; numerical: boolean };

/** From the worker that draws to the worker that trains: the next snapshot that is newer than this step. */
export interface SnapshotWish {
  readonly after: number;
}

/** What the density is drawn of: [xmin, xmax, ymin, ymax]. */
export type Extent = readonly [number, number, number, number];

/** To the worker that draws. */
export type PictureOrder =
  | {
      kind: "build";
      declaration: FlowDeclaration;
      extent: Extent;
      snapshot: Snapshot | null;
      training: MessagePort | null;
    }
  /** The share of one core that pictures may take while training goes on; 0 for a page that nobody sees. */
  | { kind: "pace"; share: number }
  | { kind: "task"; id: number; task: PictureTask };

export type PictureTask =
  /** The finished model: encoded, with its loss on the test samples. */
  | { kind: "model"; data: RowJob; seed: number }
  | { kind: "samples"; count: number; seed: number }
  /** Points carried through the blocks. */
  | { kind: "path"; points: Float64Array }
  | { kind: "bounds" };

export interface ModelResult {
  step: number;
  declaration: Uint8Array;
  weights: Uint8Array;
  testLoss: number;
  standardError: number;
  rows: number;
  /** The test samples that have failed, in words; null if none have. */
  failed: string | null;
}

export interface PathResult {
  step: number;
  /** For each place between the blocks, the points there (row-major); NaN from where a point has failed. */
  places: Float64Array[];
  /** For each bijection, its kind, its log-determinants, and the evaluations of its network. */
  kinds: string[];
  logDets: Float64Array[];
  evaluations: number[];
  /** The terms of log p(x), one for each bijection, nats. */
  terms: Term[];
  /** log p(x), nats: the sum of the terms. */
  logProb: Float64Array;
  /** |x - F^-1(F(x))|; NaN where the point has no latent, or its way back has failed. */
  roundTrip: Float64Array;
  /** The points that have failed, in words; null if none have. Their numbers are NaN. */
  failed: string | null;
}

export interface BoundsResult {
  step: number;
  blocks: { index: number; kind: string; lipschitzBound: number }[];
}

export interface Results {
  model: ModelResult;
  /** Without those that have failed, which are told in words; null if none have. */
  samples: { step: number; values: Float64Array; failed: string | null };
  path: PathResult;
  bounds: BoundsResult;
}

/** From the worker that draws. */
export type PictureNews =
  /** `failed`: how many of the values are NaN, as their rows have failed. */
  | { kind: "density"; step: number; part: number; values: Float64Array; failed: number }
  | { kind: "points"; step: number; values: Float64Array; failed: number }
  | { kind: "result"; id: number; result: Results[keyof Results] }
  | { kind: "refused"; id: number; message: string }
  | { kind: "failed"; message: string };

/** Pixels of a side of the density's picture. */
export const RESOLUTION = 128;
/** It is made of 4 x 4 interleaved grids: part p holds every 4th row and column from `PARTS[p]` on. */
export const STRIDE = 4;
export const PARTS: readonly (readonly [column: number, row: number])[] = [
  [1, 1],
  [3, 3],
  [3, 1],
  [1, 3],
  [0, 0],
  [2, 2],
  [2, 0],
  [0, 2],
  [0, 1],
  [2, 3],
  [2, 1],
  [0, 3],
  [1, 0],
  [3, 2],
  [3, 0],
  [1, 2],
];
/** Samples that are shown: the same latents at every step, so that the points move. */
export const SHOWN_POINTS = 1024;

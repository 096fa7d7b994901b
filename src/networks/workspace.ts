/** The memory of an evaluation of a network and of its backward passes: what lies there, and its matrices for a pass. */
import {
  type Engine,
  type Grid,
  lanesOf,
  type Matrix,
  paddedLanes,
  rowsOf,
  type Tensor,
} from "../engine/engine.js";
import { placesOf } from "../shape.js";
import type { NetworkPlan } from "./plan.js";

/** Memory for one evaluation of a network, its backward pass included, for up to `capacity` samples. */
export interface Workspace {
  readonly bank: Tensor;
  readonly pre: Tensor;
  readonly output: Tensor;
  readonly bankBar: Tensor;
  readonly preBar: Tensor;
  readonly outputBar: Tensor;
  /** Value lanes only: the second pass of the implicit gradient. */
  readonly preBar2: Tensor;
  readonly outputBar2: Tensor;
  /** f'(pre) of every activation. */
  readonly slopes: Tensor;
}

/** The matrices of one layer, or of the pre-activation: forward, and for a backward pass the cotangents of the same. */
export interface LayerViews {
  readonly input: Matrix;
  /** W h + b: the pre-activations, or the network's output for the closing layer; x for the pre-activation. */
  readonly pre: Matrix;
  /** act(W h + b), for the stem W h + b; the closing layer has none. */
  readonly out: Matrix | null;
  /** act'(W h + b) of the values, where there is an activation. */
  readonly slopes: Matrix | null;
}

/** The matrices of a workspace at one number of samples and tangents. */
export interface Views {
  /** Lanes of a segment: samples, times the places of a grid. */
  readonly batch: number;
  /** The jets of all features and of all pre-activations. */
  readonly bank: Matrix;
  readonly pre: Matrix;
  /** The input jet, which is the start of the bank, and the output jet. */
  readonly input: Matrix;
  readonly output: Matrix;
  readonly inputBar: Matrix;
  readonly outputBar: Matrix;
  /** The pre-activation, if there is one, and the layers, in the order of evaluation. */
  readonly forward: readonly LayerViews[];
  /** Cotangents of jets, and in a second pass of values alone; last layer first. */
  readonly backward: readonly LayerViews[];
  readonly backwardValues: readonly LayerViews[];
  /** The value lanes of the cotangents of output and pre-activations, and what a second pass adds to them. */
  readonly outputBarValues: Matrix;
  readonly preBarValues: Matrix;
  readonly outputBar2: Matrix;
  readonly preBar2: Matrix;
}

/**
 * Numbers between the rows of images. Rows of 2^n bytes all fall on the same few places of a cache; a few numbers
 * more spread them, which makes convolutions up to twice as fast.
 */
export const ROW_GAP = 16;

/** Lanes that a sample takes. */
export const lanesASample = (grid: Grid | null) => (grid ? placesOf(grid) : 1);

/** Numbers from one row to the next. */
const strideOf = (grid: Grid | null, lanes: number) => (grid ? lanes + ROW_GAP : lanes);

/**
 * Memory for up to `capacity` samples. `sharing` is the workspace of another network of the same plan, at the same
 * capacity, whose backward passes never overlap with those of this one: the part that these use is shared.
 */
export function makeWorkspace(
  engine: Engine,
  plan: NetworkPlan,
  grid: Grid | null,
  capacity: number,
  tangents: number,
  sharing?: Workspace,
): Workspace {
  const batch = paddedLanes(engine, capacity) * lanesASample(grid);
  const lanes = batch * (1 + tangents);
  const tensor = (rows: number, width: number) => engine.tensor(rows * strideOf(grid, width));
  const { dim, bankRows, preRows, slopeRows } = plan;
  return {
    bank: tensor(bankRows, lanes),
    pre: tensor(preRows, lanes),
    output: tensor(dim, lanes),
    bankBar: sharing?.bankBar ?? tensor(bankRows, lanes),
    preBar: sharing?.preBar ?? tensor(preRows, lanes),
    outputBar: sharing?.outputBar ?? tensor(dim, lanes),
    preBar2: sharing?.preBar2 ?? tensor(preRows, batch),
    outputBar2: sharing?.outputBar2 ?? tensor(dim, batch),
    slopes: sharing?.slopes ?? tensor(slopeRows, batch),
  };
}

/** The matrices for so many samples: those of the capacity, or fewer. */
export function makeViews(
  plan: NetworkPlan,
  grid: Grid | null,
  workspace: Workspace,
  samples: number,
  tangents: number,
): Views {
  const { dim, bankRows, preRows, slopeRows } = plan;
  const batch = samples * lanesASample(grid);
  const jet = batch * (1 + tangents);
  const whole = (tensor: Tensor, rows: number, lanes: number): Matrix => {
    return { tensor, offset: 0, rows, lanes, stride: strideOf(grid, lanes) };
  };
  const bank = whole(workspace.bank, bankRows, jet);
  const pre = whole(workspace.pre, preRows, jet);
  const output = whole(workspace.output, dim, jet);
  const bankBar = whole(workspace.bankBar, bankRows, jet);
  const preBar = whole(workspace.preBar, preRows, jet);
  const outputBar = whole(workspace.outputBar, dim, jet);
  const preBar2 = whole(workspace.preBar2, preRows, batch);
  const outputBar2 = whole(workspace.outputBar2, dim, batch);
  const slopes = whole(workspace.slopes, slopeRows, batch);
  const layers = (...matrices: readonly [Matrix, Matrix, Matrix]) => layerViews(plan, ...matrices, slopes);
  const values = (m: Matrix) => lanesOf(m, 0, batch);
  return {
    batch,
    bank,
    pre,
    input: rowsOf(bank, 0, dim),
    output,
    inputBar: rowsOf(bankBar, 0, dim),
    outputBar,
    forward: layers(bank, pre, output),
    backward: layers(bankBar, preBar, outputBar).reverse(),
    backwardValues: layers(values(bankBar), preBar2, outputBar2).reverse(),
    outputBarValues: values(outputBar),
    preBarValues: values(preBar),
    outputBar2,
    preBar2,
  };
}

/** Those of the pre-activation and of each layer, in the order of evaluation. */
function layerViews(
  plan: NetworkPlan,
  bank: Matrix,
  pre: Matrix,
  output: Matrix,
  slopes: Matrix,
): LayerViews[] {
  const { dim, start, features, preactivation } = plan;
  const views = plan.layers.map(
    ({ firstInput, columns, firstOutput, outputs, firstPre, rows, activation }): LayerViews => ({
      input: rowsOf(bank, firstInput, columns),
      pre: firstOutput === null ? output : rowsOf(pre, firstPre, rows),
      out: firstOutput === null ? null : rowsOf(bank, firstOutput, outputs),
      slopes: activation && rowsOf(slopes, activation.firstSlope, outputs),
    }),
  );
  if (!preactivation) return views;
  const x = rowsOf(bank, 0, dim);
  const act = {
    out: rowsOf(bank, start, features),
    slopes: rowsOf(slopes, preactivation.firstSlope, features),
  };
  return [{ input: x, pre: x, ...act }, ...views];
}

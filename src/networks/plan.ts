/**
 * What a Lipschitz network consists of and where everything lies, known from its declaration alone. Every network is a
 * list of layers a_l = act(W_l h_l + b_l) and a closing linear layer; h_l is a stretch of the rows of one matrix, the
 * *bank*, that starts with the input x and to which each a_l is appended. Dense concatenation reads all rows up to a_l,
 * a multilayer perceptron only the last a_l. Nothing is ever copied to concatenate.
 *
 * On images a layer is a 3 x 3 or a 1 x 1 convolution; a place of the grid is then what a sample is elsewhere. A *stem*,
 * a linear layer without activation, takes many inputs to fewer features first. A *pre-activation* (He et al. 2016;
 * Residual Flow) applies the activation to x, ahead of the first layer, which then reads act(x).
 */
import type { Activation } from "../activations/activation.js";
import { TAPS } from "../engine/engine.js";
import { check } from "../errors.js";
import { kernelsOf, type NetworkDeclaration } from "./declaration.js";

/** The activation of a layer, or the pre-activation. */
export interface ActivationPlan {
  /** Its first row among the slopes. */
  readonly firstSlope: number;
  /** Where the gradient of its parameter stands among the network's numbers. */
  readonly offset: number;
}

export interface LayerPlan {
  /** The weight is a matrix of so many rows, and of taps x columns columns: [row][tap][column]. */
  readonly rows: number;
  readonly columns: number;
  /** 9 for a convolution, else 1. */
  readonly taps: number;
  /** Its place among the layers that are concatenated; the closing layer's is `depth`, the stem's null. */
  readonly index: number | null;
  /** The first of the bank's rows that it reads; there are `columns` of them. */
  readonly firstInput: number;
  /** Whether its backward pass adds to what those of later layers, which read these rows, too, have left as their cotangent. */
  readonly addsToInputBar: boolean;
  /** The group of the bank that each input column belongs to: 0 for x, l for the l-th activation. */
  readonly groups: Uint16Array;
  /** The first of the bank's rows that it fills, and their number; the closing layer fills none. */
  readonly firstOutput: number | null;
  readonly outputs: number;
  /** First row of the matrix of pre-activations. */
  readonly firstPre: number;
  /** Stem and closing layer have none. */
  readonly activation: ActivationPlan | null;
  /** Where it starts among the network's numbers: weight, bias, and the parameter of its activation. */
  readonly offset: number;
}

export interface NetworkPlan {
  readonly dim: number;
  /** In the order of evaluation: the stem, if there is one, the others, the closing layer. */
  readonly layers: readonly LayerPlan[];
  readonly preactivation: ActivationPlan | null;
  /** Rows of the bank before those that dense layers concatenate, and of x, of the stem or of act(x) among these. */
  readonly start: number;
  readonly features: number;
  /** Rows of the bank, of the pre-activations and of the slopes. */
  readonly bankRows: number;
  readonly preRows: number;
  readonly slopeRows: number;
  /** The network's numbers: of weights and biases, and one for the parameter of every activation. */
  readonly size: number;
}

/**
 * The plan of a network of inputs and outputs of `dim` channels. Throws a `usage` error, which starts with `name`, for
 * layers, activation and kernels that do not fit one another, and for convolutions without a grid.
 */
export function planNetwork(
  name: string,
  dim: number,
  declaration: NetworkDeclaration,
  { outputs }: Activation,
  hasGrid: boolean,
): NetworkPlan {
  const { depth, growth, kind, stem } = declaration;
  const kernels = checkedKernels(name, declaration, outputs, hasGrid);
  const preactivation = declaration.preactivation ?? false;
  const start = stem || preactivation ? dim : 0;
  const features = stem ?? (preactivation ? outputs * dim : dim);
  const layers: LayerPlan[] = [];
  let offset = 0;
  let firstPre = 0;
  const add = (
    layer: Pick<LayerPlan, "rows" | "columns" | "taps" | "index" | "firstInput" | "firstOutput">,
  ) => {
    const { rows, columns, taps, index, firstInput, firstOutput } = layer;
    const closing = firstOutput === null;
    const numbers = rows * taps * columns + rows;
    layers.push({
      ...layer,
      // The closing layer comes first, and a stem's input is its own.
      addsToInputBar: kind === "dense" && !closing && index !== null,
      groups: Uint16Array.from({ length: columns }, (_, c) => {
        const row = firstInput + c - start;
        return index === null || row < features ? 0 : 1 + Math.floor((row - features) / growth);
      }),
      outputs: closing ? 0 : index === null ? rows : growth,
      firstPre,
      activation: closing || index === null ? null : { firstSlope: index * growth, offset: offset + numbers },
      offset,
    });
    offset += numbers + 1;
    if (!closing) firstPre += rows;
  };
  if (stem) add({ rows: stem, columns: dim, taps: 1, index: null, firstInput: 0, firstOutput: dim });
  for (let index = 0; index <= depth; index++) {
    const closing = index === depth;
    const end = start + features + index * growth;
    const firstInput = kind === "dense" || index === 0 ? start : end - growth;
    add({
      rows: closing ? dim : growth / outputs,
      columns: end - firstInput,
      taps: kernels[index] === 3 ? TAPS : 1,
      index,
      firstInput,
      firstOutput: closing ? null : end,
    });
  }
  return {
    dim,
    layers,
    preactivation: preactivation ? { firstSlope: depth * growth, offset } : null,
    start,
    features,
    bankRows: start + features + depth * growth,
    preRows: firstPre,
    slopeRows: depth * growth + (preactivation ? features : 0),
    size: offset + (preactivation ? 1 : 0),
  };
}

function checkedKernels(name: string, declaration: NetworkDeclaration, outputs: number, hasGrid: boolean) {
  const { growth, kind, stem, preactivation, activation } = declaration;
  check(
    growth % outputs === 0,
    "usage",
    `${name}: growth ${growth} must be even: ${activation} has two outputs`,
  );
  const kernels = kernelsOf(declaration);
  check(!kernels.includes(3) || hasGrid, "usage", `${name}: convolutions need images`);
  check(
    !preactivation || (kind === "multilayer" && !stem),
    "usage",
    `${name}: a pre-activation stands before layers that follow one another, without a stem`,
  );
  return kernels;
}

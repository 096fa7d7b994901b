/**
 * The networks of the studies' code by the names in its state_dict, and ours beside them:
 *
 *                   dense concatenation                  layers one after the other
 *   pre-activation                                       0
 *   stem            0
 *   layer i         s + i .network.0, its factors at     p + 2 i
 *                   s + i .K1_unnormalized, .K2_...
 *   its activation  s + i .network.1                     p + 2 i + 1
 *   closing layer   s + depth                            p + 2 depth
 *
 * with s = 1 behind a stem and p = 1 behind a pre-activation. A layer has weight [out, in] or [out, in, ky, kx], bias,
 * and the vectors u and v of its power iteration, for 3 x 3 convolutions images [channel, y, x].
 */
import { activation as activationOf } from "../activations/index.js";
import { check } from "../errors.js";
import { kernelsOf, type NetworkDeclaration } from "../networks/declaration.js";
import type { Names } from "./names.js";

/** The activations that are the same in the studies' code, by their names there. */
export const ACTIVATIONS: Readonly<Record<string, string>> = {
  CPila: "CPila",
  CLipSwish: "CLipSwish",
  CReLU: "CReLU",
  swish: "LipSwish",
  relu: "ReLU",
  elu: "ELU",
  tanh: "tanh",
};

/** Where a layer's numbers are, there and here. */
export interface StudyLayer {
  /** The layer's name in the study's network. */
  readonly key: string;
  /** The number of the layer in ours. */
  readonly index: number;
  /** The side of its kernel, on images. */
  readonly kernel: 1 | 3;
  /** The name of the learned number of its activation, where it has one. */
  readonly beta: string | null;
  /** The name of its concatenation, and its row in ours. */
  readonly concatenation: { readonly key: string; readonly row: number } | null;
}

export interface StudyNetwork {
  readonly layers: readonly StudyLayer[];
  /** The name of the learned number of the pre-activation, where it has one. */
  readonly preactivation: string | null;
}

/** The names of a network of this declaration. */
export function studyNetwork(network: NetworkDeclaration): StudyNetwork {
  const { kind, depth, stem, preactivation } = network;
  const kernels = kernelsOf(network);
  const { learned, outputs } = activationOf(network.activation);
  // The concatenated activation holds the single one.
  const beta = (key: string) => (learned ? `${key}.${outputs === 2 ? "swish." : ""}beta` : null);
  const before = stem ? 1 : 0;
  const layers: StudyLayer[] = [];
  if (stem) layers.push({ key: "0", index: 0, kernel: 1, beta: null, concatenation: null });
  const first = preactivation ? 1 : 0;
  for (let i = 0; i <= depth; i++) {
    const closing = i === depth;
    const at = String(kind === "dense" ? before + i : first + 2 * i);
    const inside = kind === "dense" && !closing;
    layers.push({
      key: inside ? `${at}.network.0` : at,
      index: before + i,
      kernel: kernels[i],
      beta: closing ? null : beta(inside ? `${at}.network.1` : String(Number(at) + 1)),
      concatenation: inside ? { key: at, row: i } : null,
    });
  }
  return { layers, preactivation: preactivation ? beta("0") : null };
}

/** What a network's options say that its tensors do not. */
export type NetworkSettings = Pick<
  NetworkDeclaration,
  "activation" | "coeff" | "lip" | "powerIterations" | "learnConcatenationFrom"
> &
  Partial<Pick<NetworkDeclaration, "spectralTolerance" | "limit">>;

/** The declaration of the study's network of that name, from the shapes of its weights. */
export function networkOf(names: Names, settings: NetworkSettings): NetworkDeclaration {
  const { outputs } = activationOf(settings.activation);
  const shape = (key: string) => names.shape(`${key}.weight`);
  const dense = names.children().filter((i) => names.has(`${i}.network.0.weight`));
  const plain = names.children().filter((i) => names.has(`${i}.weight`));
  const [first] = plain;
  check(
    first !== undefined,
    "input",
    `${names.where} has no network at '${names.prefix}' that is known here`,
  );
  const kernel = (key: string): 1 | 3 => {
    const [, , height = 1, width = 1] = shape(key);
    const known = height === width && (height === 1 || height === 3);
    check(known, "input", `${names.where}: kernels of ${height} x ${width} are not known here; only 1 and 3`);
    return height as 1 | 3;
  };
  const images = shape(String(first)).length === 4;
  if (dense.length > 0) {
    const depth = dense.length;
    const sides = dense.map((i) => kernel(`${i}.network.0`));
    const rows = new Set(dense.map((i) => shape(`${i}.network.0`)[0]));
    check(rows.size === 1, "input", `${names.where}: layers of different growth at '${names.prefix}'`);
    const stem = first < dense[0] ? shape(String(first))[0] : undefined;
    const closing = kernel(String(plain.at(-1)));
    return {
      kind: "dense",
      ...(images ? { kernel: closing === 1 && sides.every((k) => k === 3) ? 3 : [...sides, closing] } : {}),
      ...(stem ? { stem } : {}),
      depth,
      growth: outputs * [...rows][0],
      ...settings,
    };
  }
  const widths = new Set(plain.slice(0, -1).map((i) => shape(String(i))[0]));
  check(
    widths.size === 1,
    "input",
    `${names.where}: layers of the widths ${[...widths].join(", ")} are not known here; all must be alike`,
  );
  return {
    kind: "multilayer",
    ...(images ? { kernel: plain.map((i) => kernel(String(i))) } : {}),
    ...(first === 1 ? { preactivation: true } : {}),
    depth: plain.length - 1,
    growth: outputs * [...widths][0],
    ...settings,
  };
}

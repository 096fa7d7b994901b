/**
 * Checkpoints of the studies' own code as flows: mlvlab/MonotoneFlows, rtqichen/residual-flows and
 * thu-ml/implicit-normalizing-flows (docs/interchange.md).
 *
 * A monotone block there is w + G(w) = sqrt 2 x, y = sqrt 2 w - x: ours of the scale sqrt 2. An implicit block,
 * z + G_z(z) = x + G_x(x), is a residual block and an inverse-residual one.
 */

import { type BijectionDeclaration, shapeAfter } from "../bijections/index.js";
import type { Engine, Grid } from "../engine/engine.js";
import { check, FlowError } from "../errors.js";
import { type FlowDeclaration, parseDeclaration } from "../flows/declaration.js";
import { Flow } from "../flows/flow.js";
import type { Formulation } from "../flows/monotone-flow.js";
import type { NetworkDeclaration } from "../networks/declaration.js";
import { type Shape, sizeOf } from "../shape.js";
import { type Checkpoint, decodeCheckpoint, type Options } from "./checkpoint.js";
import { slopeOf } from "./grid-vectors.js";
import { Names } from "./names.js";
import { networkOf, studyNetwork } from "./study-network.js";
import { obstacles, type Study, StudyOptions } from "./study-options.js";

/** How a checkpoint is read. */
export interface ImportOptions {
  /** What errors call the checkpoint (default "the checkpoint"). */
  file?: string;
  /** Options of the study's training program, above those in the checkpoint. */
  options?: Options;
  /** Whether to take the moving averages of the parameters, with which the studies evaluate (default: false). */
  averaged?: boolean;
  /** Where the flow computes (default: a WebAssembly engine of its own). */
  engine?: Engine;
  /** Samples a pass (default: what suits the engine). */
  capacity?: number;
}

/** What `importCheckpoint` returns. */
export interface Imported {
  /** The model, ready to be used. */
  flow: Flow;
  /** What the checkpoint says of itself. */
  origin: CheckpointInfo;
}

/** What a checkpoint says of itself. */
export interface CheckpointInfo {
  /** Whose code has made it. */
  study: Study;
  /** The options of its training program. */
  options: Options;
  /** Tensors of the model and their numbers. */
  tensors: number;
  /** The numbers of all tensors of the model. */
  numbers: number;
  /** Whether it holds moving averages of the parameters. */
  averaged: boolean;
  /** Why it cannot be imported, each in a phrase; empty where it can. */
  obstacles: string[];
}

/** One step of the chain, and what holds its numbers. */
interface Step {
  declaration: BijectionDeclaration;
  names: Names | null;
}

/** What is in a checkpoint and what stands in the way of its import; throws an `input` error where it is none. */
export function inspectCheckpoint(
  bytes: Uint8Array,
  { file = "the checkpoint", options = {} }: ImportOptions = {},
): CheckpointInfo {
  return infoOf(decodeCheckpoint(bytes, file), options);
}

function infoOf({ tensors, averaged, options: own }: Checkpoint, more: Options): CheckpointInfo {
  const options = { ...own, ...more };
  const implicit = [...tensors.keys()].some((name) => /(^|\.)nnet_x\./.test(name));
  const study = implicit ? "implicit" : "monotone_resolvent" in options ? "mlvlab" : "residual-flows";
  const numbers = [...tensors.values()].reduce((sum, tensor) => sum + tensor.length, 0);
  const missing = own === null && Object.keys(more).length === 0;
  return {
    study,
    options,
    tensors: tensors.size,
    numbers,
    averaged: averaged !== null,
    obstacles: missing
      ? ["the checkpoint has no options of its training program (args)"]
      : obstacles(options),
  };
}

/**
 * The flow of a checkpoint, from the bytes of its file. Images are pixels of 0 to `levels` here and of 0 to 1 there, so
 * that log|det dz/dx| is less by dim ln(levels) here; what is factored out stands at the end of the latent here, the
 * first at the very end, and at its start there (`latentOrder`).
 *
 * @throws FlowError `input`, naming the option or tensor that has no counterpart here
 */
export async function importCheckpoint(bytes: Uint8Array, options: ImportOptions = {}): Promise<Imported> {
  const { file = "the checkpoint", averaged = false, engine, capacity } = options;
  const checkpoint = decodeCheckpoint(bytes, file);
  const origin = infoOf(checkpoint, options.options ?? {});
  check(
    origin.obstacles.length === 0,
    "input",
    `${file} cannot be imported: ${origin.obstacles.join("; ")}`,
    ...(Object.keys(origin.options).length === 0 ? [{ option: "options" }] : []),
  );
  check(
    !averaged || checkpoint.averaged !== null,
    "input",
    `${file} has no averaged parameters; import it without them`,
    { option: "averaged" },
  );
  const tensors = averaged
    ? new Map([...checkpoint.tensors, ...(checkpoint.averaged ?? [])])
    : checkpoint.tensors;
  const names = new Names(tensors, file);
  const study = new StudyOptions(origin.options, file);
  const image = names.hasBelow("transforms.") ? study.image() : null;
  const steps = image ? imageChain(names, study) : blocks(names, study).flat();
  const dim = image ? image.channels * image.height * image.width : vectorDim(steps, file);
  const declaration = parseDeclaration(
    {
      dim,
      ...(image ? { image } : {}),
      ...(dim > LARGEST_EXACT || image ? { estimator: study.estimator(origin.study) } : {}),
      bijections: steps.map((step) => step.declaration),
    },
    file,
  );
  const values = parametersOf(declaration, steps);
  const left = names.left();
  check(left === undefined, "input", `${file} holds '${left}', which no flow that can be declared here has`);
  const flow = await Flow.create(declaration, {
    ...(engine ? { engine } : {}),
    ...(capacity ? { capacity } : {}),
  });
  flow.parameters.load(values, file);
  // Vectors of the power iteration belong to the parameters that they were found with; the studies go on from them, too.
  if (averaged) await flow.convergeNorms();
  flow.prepare();
  return { flow, origin };
}

/** The scale of the study's monotone blocks. */
export const STUDY_SCALE = Math.SQRT2;

/** The studies' actnorms start from no variance below this. */
const ACTNORM = { kind: "actnorm", varianceFloor: 0.2 } as const;

/** Dimensions up to which log-determinants are exact unless an estimator is declared. */
const LARGEST_EXACT = 16;

/** The steps of a `SequentialFlow`, those of each of its members by themselves. */
function blocks(names: Names, options: StudyOptions): Step[][] {
  const chain = names.below("chain.");
  const steps = chain.children().map((i) => stepsOf(chain.below(`${i}.`), options));
  check(steps.length > 0, "input", `${names.where} has no chain of blocks at '${names.prefix}chain'`);
  return steps;
}

function stepsOf(names: Names, options: StudyOptions): Step[] {
  if (names.has("initialized") && names.has("weight")) return [{ declaration: ACTNORM, names }];
  if (names.has("fc_module.initialized")) return [{ declaration: ACTNORM, names: names.below("fc_module.") }];
  const block = (kind: Formulation, start: string): Step => {
    // A fully connected network of images has one more level of names.
    const inside = names.below(names.hasBelow(`${start}nnet.`) ? `${start}nnet.` : start);
    const network = networkOf(inside, options.network());
    return {
      declaration: kind === "monotone" ? { kind, network, scale: STUDY_SCALE } : { kind, network },
      names: inside,
    };
  };
  if (names.hasBelow("nnet_x.")) return [block("residual", "nnet_x."), block("inverse-residual", "nnet_z.")];
  check(
    names.hasBelow("nnet."),
    "input",
    `${names.where}: the layer '${names.prefix.slice(0, -1)}' is of a kind that is not known here`,
  );
  return [block(options.monotone ? "monotone" : "residual", "nnet.")];
}

const step = (kind: "squeeze" | "factor-out" | "flatten"): Step => ({ declaration: { kind }, names: null });

/** The scales of a `ResidualFlow` or an `ImplicitFlow`, the first behind its logit. */
function imageChain(names: Names, options: StudyOptions): Step[] {
  const transforms = names.below("transforms.");
  const scales = transforms.children();
  const connected = ({ names: own }: Step) =>
    own !== null && /\.(fc_module|nnet(_[xz])?\.nnet)\.$/.test(own.prefix);
  const chain: Step[] = options.squeezeFirst ? [step("squeeze")] : [];
  for (const i of scales) {
    const members = blocks(transforms.below(`${i}.`), options);
    const first = members.findIndex((member) => member.some(connected));
    const [images, vectors] = first < 0 ? [members, []] : [members.slice(0, first), members.slice(first)];
    chain.push(...images.flat());
    if (i < scales.length - 1) {
      check(
        vectors.length === 0,
        "input",
        `${names.where}: fully connected blocks before the last scale are not known here`,
      );
      chain.push(step("squeeze"), ...(options.factorOut ? [step("factor-out")] : []));
    } else if (vectors.length > 0) {
      check(
        vectors.every((member) => member.some(connected)),
        "input",
        `${names.where}: convolutions behind fully connected blocks are not known here`,
      );
      chain.push(step("flatten"), ...vectors.flat());
    }
  }
  return chain;
}

/** The dimension of a chain on vectors: that of its first actnorm or closing layer. */
function vectorDim(steps: readonly Step[], file: string): number {
  for (const { declaration, names } of steps) {
    if (!names) continue;
    if (!("network" in declaration)) return names.shape("weight")[0];
    const { layers } = studyNetwork(declaration.network);
    return names.shape(`${layers.at(-1)?.key}.weight`)[0];
  }
  throw new FlowError("input", `${file} has no blocks`);
}

/** The flow's parameters by name. */
function parametersOf(declaration: FlowDeclaration, steps: readonly Step[]): Map<string, Float64Array> {
  const values = new Map<string, Float64Array>();
  let shape: Shape = declaration.image ?? { channels: declaration.dim, height: 1, width: 1 };
  steps.forEach(({ declaration: own, names }, i) => {
    const set = (name: string, numbers: Float64Array) => values.set(`bijections.${i}.${name}`, numbers);
    if (names && "network" in own) takeNetwork(set, names, own.network, shape);
    else if (names) {
      set("shift", names.take("bias", shape.channels));
      set("logScale", names.take("weight", shape.channels));
      set("started", names.take("initialized", 1));
    }
    shape = shapeAfter(own, shape);
  });
  return values;
}

type Set = (name: string, numbers: Float64Array) => void;

function takeNetwork(set: Set, names: Names, network: NetworkDeclaration, { height, width }: Shape): void {
  const { layers, preactivation } = studyNetwork(network);
  if (preactivation) set("beta.input", names.take(preactivation, 1));
  const factors = new Float64Array(2 * network.depth);
  for (const { key, index, kernel, beta, concatenation } of layers) {
    const [rows, columns] = names.shape(`${key}.weight`);
    const taps = kernel * kernel;
    const weight = transposed(names.take(`${key}.weight`, rows * columns * taps), rows, columns, taps);
    set(`weight.${index}`, weight);
    set(`bias.${index}`, names.take(`${key}.bias`, rows));
    const places = kernel === 3 ? height * width : 1;
    check(
      !names.has(`${key}.initialized`) || names.take(`${key}.initialized`, 1)[0] === 1,
      "input",
      `${names.where}: the layer '${names.prefix}${key}' has never been used, so its spectral norm is unknown`,
    );
    const u = names.take(`${key}.u`, rows * places);
    const v = names.take(`${key}.v`, columns * places);
    set(`left.${index}`, u);
    if (kernel === 3) set(`slope.${index}`, slopeOf(u, v, rows, columns, { height, width } satisfies Grid));
    else set(`right.${index}`, v);
    if (beta) set(`beta.${index}`, names.take(beta, 1));
    if (concatenation) {
      ["K1_unnormalized", "K2_unnormalized"].forEach((name, half) => {
        factors[2 * concatenation.row + half] = names.take(`${concatenation.key}.${name}`, 1)[0];
      });
    }
  }
  if (network.kind === "dense") set("concatenation", factors);
}

/** [row][column][tap] as [row][tap][column]; also back, with taps and columns exchanged. */
export function transposed(values: Float64Array, rows: number, columns: number, taps: number): Float64Array {
  const out = new Float64Array(values.length);
  for (let r = 0, i = 0; r < rows; r++)
    for (let c = 0; c < columns; c++)
      for (let t = 0; t < taps; t++, i++) out[(r * taps + t) * columns + c] = values[i];
  return out;
}

/**
 * Where the numbers of the study's latent stand in the flow's: the i-th number there is number `order[i]` here. They
 * differ where channels are factored out: the study squeezes first, and puts what leaves first in front.
 */
export function latentOrder(declaration: FlowDeclaration): Int32Array {
  const { dim, image, bijections } = declaration;
  const order: number[] = [];
  let shape: Shape = image ?? { channels: dim, height: 1, width: 1 };
  let end = dim;
  bijections.forEach((bijection, i) => {
    shape = shapeAfter(bijection, shape);
    if (bijection.kind !== "factor-out") return;
    const { channels, height, width } = shape;
    const start = sizeOf(shape);
    const squeezed = bijections[i + 1]?.kind === "squeeze";
    const step = squeezed ? 2 : 1;
    for (let c = 0; c < channels; c++)
      for (let dy = 0; dy < step; dy++)
        for (let dx = 0; dx < step; dx++)
          for (let y = dy; y < height; y += step)
            for (let x = dx; x < width; x += step) order.push(start + (c * height + y) * width + x);
    end = start;
  });
  for (let at = 0; at < end; at++) order.push(at);
  return Int32Array.from(order);
}

/**
 * Flows as checkpoints that the studies' own code loads with `load_state_dict` (docs/interchange.md).
 *
 * Their chains are stiffer than ours: an actnorm may stand before the first block and stands after every one or after
 * none. What stands between two blocks here is therefore put together into the actnorm that has its place there: actnorms,
 * a standardisation at the start, and where a monotone block's scale s is not the study's sqrt 2, the factors sqrt 2 / s
 * before it and s / sqrt 2 behind it.
 */
import { activation as activationOf } from "../activations/index.js";
import { type BijectionDeclaration, shapeAfter } from "../bijections/index.js";
import { check, FlowError } from "../errors.js";
import type { FlowDeclaration } from "../flows/declaration.js";
import type { Flow } from "../flows/flow.js";
import type { NetworkDeclaration } from "../networks/declaration.js";
import type { Shape } from "../shape.js";
import type { Options } from "./checkpoint.js";
import { rightOf } from "./grid-vectors.js";
import { STUDY_SCALE, transposed } from "./import.js";
import { encodeTorch, type Saved, Tensor } from "./pytorch.js";
import { ACTIVATIONS, studyNetwork } from "./study-network.js";
import { imageOptions, type Study } from "./study-options.js";

type Block = Extract<BijectionDeclaration, { network: NetworkDeclaration }>;

/** y = (x + shift) e^logScale of the first channels, as many as the arrays have numbers. */
interface Affine {
  shift: Float64Array;
  logScale: Float64Array;
}

/** A part of what stands between two blocks: a factor on the first `channels`, or an affine map. */
type Part = { factor: number; channels: number } | (Affine & { started: number });

/** A block of a study: one of our blocks, or the two of an implicit one, and what follows it. */
interface Member {
  blocks: { declaration: Block; index: number }[];
  shape: Shape;
  after: Part[];
}

interface Chain {
  /** Before the first block. */
  before: Part[];
  shape: Shape;
  squeezeFirst: boolean;
  factorOut: boolean;
  /** The blocks of each scale, and the fully connected ones behind the last. */
  scales: Member[][];
  connected: Member[];
}

/** Fully connected blocks at the end of the studies' models, where there are any, and the features of their stem. */
const CONNECTED: Readonly<Record<Study, number>> = { mlvlab: 4, "residual-flows": 4, implicit: 2 };
const STEM = 64;
/** The fewest pixels of a side that a scale may have. */
const SMALLEST_SCALE = 4;

/** A checkpoint for a study's code. */
export interface Exported {
  /** The content of a file that `torch.load` reads: a dictionary of `state_dict` and `args`. */
  bytes: Uint8Array;
  /** The options of the study's training program that build the model: its `args`. */
  options: Options;
}

/**
 * A flow as a checkpoint for the code of a study. It maps alike, up to rounding and the order of latents
 * (`latentOrder`); of the power iteration of 3 x 3 convolutions only u and sigma are kept.
 *
 * @throws FlowError `usage`, naming what the study's code does not have
 */
export function exportCheckpoint(flow: Flow, study: Study): Exported {
  const { declaration } = flow;
  flow.chain.makeCertain();
  const chain = chainOf(flow, study);
  const members = [...chain.scales.flat(), ...chain.connected];
  const affines = [
    resolved(chain.before, chain.shape.channels),
    ...members.map((m) => resolved(m.after, m.shape.channels)),
  ];
  const actnorm = affines.some((affine) => affine !== null);
  const leading = affines[0] !== null;
  const options = declaration.image
    ? imageProgram(declaration, chain, study, actnorm, leading)
    : toyProgram(declaration, members, study, actnorm);
  const state = new Map<string, Tensor>();
  const put = (prefix: string, affine: Affine | null, { channels }: Shape) => {
    const zeros = new Float64Array(channels);
    state.set(`${prefix}weight`, Tensor.of([channels], affine?.logScale ?? zeros));
    state.set(`${prefix}bias`, Tensor.of([channels], affine?.shift ?? zeros));
    state.set(`${prefix}initialized`, Tensor.of([], [1], "int64"));
  };
  const first = actnorm && (!declaration.image || options.first_resblock === true);
  const lists = declaration.image ? chain.scales : [members];
  let affine = 1;
  lists.forEach((list, s) => {
    const prefix = declaration.image ? `transforms.${s}.chain.` : "chain.";
    // The logit is the first layer of the first scale.
    let at = declaration.image && s === 0 ? 1 : 0;
    if (s === 0 && first) put(`${prefix}${at++}.`, affines[0], chain.shape);
    const all = declaration.image && s === lists.length - 1 ? [...list, ...chain.connected] : list;
    for (const member of all) {
      const connected = chain.connected.includes(member);
      putBlock(state, flow, `${prefix}${at++}.`, member, connected, study);
      if (actnorm) put(`${prefix}${at++}.${connected ? "fc_module." : ""}`, affines[affine], member.shape);
      affine++;
    }
  });
  const saved = new Map<string, Saved>([
    ["state_dict", state],
    ["args", new Map(Object.entries(options))],
  ]);
  return { bytes: encodeTorch(saved), options };
}

/** The parts of the chain at the places that the study's models have for them. */
function chainOf(flow: Flow, study: Study): Chain {
  const { image, dim, bijections, standardisation, dequantization } = flow.declaration;
  const refuse = (what: string): never => {
    throw new FlowError("usage", `the code of ${study} has no ${what}; the model cannot be exported for it`);
  };
  if (dequantization) refuse("learned noise of this kind");
  let shape: Shape = image ?? { channels: dim, height: 1, width: 1 };
  const chain: Chain = {
    before: [],
    shape,
    squeezeFirst: false,
    factorOut: false,
    scales: [[]],
    connected: [],
  };
  if (standardisation) {
    const { mean, deviation } = standardisation;
    const shift = Float64Array.from(mean, (x) => -x);
    chain.before.push({ shift, logScale: Float64Array.from(deviation, (x) => -Math.log(x)), started: 1 });
  }
  let pending = chain.before;
  // Behind a squeeze or a flatten the channels are others than those of the actnorm before it; factors still pass.
  let moved = false;
  let channels = shape.channels;
  let flat = false;
  const factor = (value: number) => pending.push({ factor: value, channels });
  const monotone = bijections.some((b) => b.kind === "monotone");
  for (const [index, declaration] of bijections.entries()) {
    const { kind } = declaration;
    const own = chain.scales.at(-1) as Member[];
    if (kind === "actnorm") {
      if (moved) refuse("actnorm right behind a squeeze or a flatten");
      const values = (name: string) => parameter(flow, `bijections.${index}.${name}`);
      pending.push({ shift: values("shift"), logScale: values("logScale"), started: values("started")[0] });
    } else if (kind === "squeeze") {
      if (flat) refuse("squeeze of a vector");
      if (own.length > 0) chain.scales.push([]);
      else if (chain.scales.length > 1 || chain.squeezeFirst) refuse("scale without blocks");
      else if (pending.length > 0) refuse("actnorm before its first squeeze");
      else chain.squeezeFirst = true;
      moved = pending !== chain.before;
    } else if (kind === "factor-out") {
      chain.factorOut = true;
      channels /= 2;
    } else if (kind === "flatten") {
      flat = true;
      moved = true;
    } else {
      const before = bijections[index - 1];
      const second = study === "implicit" && kind === "inverse-residual";
      if (kind === "inverse-residual" && !second) refuse("inverse residual block");
      if (kind === "monotone" && study !== "mlvlab") refuse("monotone block");
      if (kind === "residual" && monotone) refuse("residual block beside monotone ones");
      if (second) {
        const half = before?.kind === "residual" ? (flat ? chain.connected : own).at(-1) : undefined;
        if (half?.blocks.length !== 1)
          return refuse("inverse residual block without a residual one right before it");
        half.blocks.push({ declaration: declaration as Block, index });
        continue;
      }
      const scale = kind === "monotone" ? (declaration.scale ?? 1) : STUDY_SCALE;
      if (scale !== STUDY_SCALE) factor(STUDY_SCALE / scale);
      const member: Member = { blocks: [{ declaration: declaration as Block, index }], shape, after: [] };
      (flat ? chain.connected : own).push(member);
      pending = member.after;
      moved = false;
      channels = shape.channels;
      if (scale !== STUDY_SCALE) factor(scale / STUDY_SCALE);
    }
    shape = shapeAfter(declaration, shape);
    if (pending === chain.before) {
      chain.shape = shape;
      channels = shape.channels;
    }
  }
  const members = [...chain.scales.flat(), ...chain.connected];
  if (members.length === 0) refuse("flow without blocks");
  if (chain.scales.some((scale) => scale.length === 0)) refuse("scale without blocks");
  if (study === "implicit" && members.some((m) => m.blocks.length < 2)) refuse("residual block by itself");
  return chain;
}

function parameter(flow: Flow, name: string): Float64Array {
  const found = flow.parameters.list.find((p) => p.name === name);
  check(found !== undefined, "internal", `there is no parameter ${name}`);
  return found.values;
}

/** The parts as one affine map, null for the identity; an actnorm alone stays as it is, to the bit. */
function resolved(parts: readonly Part[], channels: number): Affine | null {
  const kept: Part[] = [];
  for (const part of parts) {
    const before = kept.at(-1);
    const inverse =
      before && "factor" in before && "factor" in part && before.channels === part.channels
        ? Math.abs(before.factor * part.factor - 1) < 4 * Number.EPSILON
        : false;
    if (inverse) kept.pop();
    else kept.push(part);
  }
  if (kept.length === 0) return null;
  const [only] = kept;
  if (kept.length === 1 && !("factor" in only) && only.started === 1) return only;
  const slope = new Float64Array(channels).fill(1);
  const offset = new Float64Array(channels);
  for (const part of kept) {
    const count = "factor" in part ? part.channels : channels;
    check(
      Number.isInteger(count),
      "usage",
      "channels are factored out in the middle of one that was squeezed: no actnorm of the study's code scales half a channel",
    );
    for (let c = 0; c < count; c++) {
      const factor = "factor" in part ? part.factor : Math.exp(part.logScale[c]);
      offset[c] = (offset[c] + ("factor" in part ? 0 : part.shift[c])) * factor;
      slope[c] *= factor;
    }
  }
  return { shift: offset.map((x, c) => x / slope[c]), logScale: slope.map(Math.log) };
}

function putBlock(
  state: Map<string, Tensor>,
  flow: Flow,
  prefix: string,
  member: Member,
  connected: boolean,
  study: Study,
): void {
  const names = study === "implicit" ? ["nnet_x", "nnet_z"] : ["nnet"];
  member.blocks.forEach(({ declaration: { network }, index }, i) => {
    const inside = connected ? ".nnet." : ".";
    putNetwork(state, flow, `${prefix}${names[i]}${inside}`, index, network, member.shape);
    // An implicit block keeps copies for its backward pass.
    if (study === "implicit") {
      putNetwork(state, flow, `${prefix}${names[i]}_copy${inside}`, index, network, member.shape);
    }
  });
  const scalar = (name: string, value: number, shape: number[] = []) =>
    state.set(prefix + name, Tensor.of(shape, [value]));
  if (study !== "implicit") scalar("geom_p", 0);
  scalar("lamb", 2);
  for (const name of ["last_n_samples", "last_firmom", "last_secmom"]) scalar(name, 0, [1]);
}

function putNetwork(
  state: Map<string, Tensor>,
  flow: Flow,
  prefix: string,
  index: number,
  network: NetworkDeclaration,
  { height, width }: Shape,
): void {
  const own = (name: string) => parameter(flow, `bijections.${index}.${name}`);
  const { layers, preactivation } = studyNetwork(network);
  // Our code may have divided by certified bounds: with these vectors the study's code finds the same norms.
  const found = flow.blocks.find((b) => b.index === index);
  check(found !== undefined, "internal", `bijection ${index} has no network`);
  const [norms, estimates] = [found.block.network.limitingNorms(), found.block.network.spectralNorms()];
  const image = height * width > 1 || network.kernel !== undefined;
  const put = (name: string, shape: number[], values: ArrayLike<number>) =>
    state.set(prefix + name, Tensor.of(shape, values));
  if (preactivation) put(preactivation, [1], own("beta.input"));
  for (const { key, index: l, kernel, beta, concatenation } of layers) {
    const weight = own(`weight.${l}`);
    const rows = own(`bias.${l}`).length;
    const taps = kernel * kernel;
    const columns = weight.length / rows / taps;
    put(
      `${key}.weight`,
      image ? [rows, columns, kernel, kernel] : [rows, columns],
      transposed(weight, rows, taps, columns),
    );
    put(`${key}.bias`, [rows], own(`bias.${l}`));
    const left = own(`left.${l}`);
    const right =
      kernel === 3
        ? rightOf(weight, left, rows, columns, { height, width }, norms[l])
        : scaled(own(`right.${l}`), norms[l] / estimates[l]);
    put(`${key}.u`, [left.length], left);
    put(`${key}.v`, [right.length], right);
    put(`${key}.scale`, [], [norms[l]]);
    if (image) {
      state.set(`${prefix}${key}.initialized`, Tensor.of([], [1], "int64"));
      put(`${key}.spatial_dims`, [2], [height, width]);
    }
    if (beta) put(beta, [1], own(`beta.${l}`));
    if (concatenation) {
      const factors = own("concatenation");
      [1, 2].forEach((half) => {
        put(`${concatenation.key}.K${half}_unnormalized`, [1], [factors[2 * concatenation.row + half - 1]]);
      });
    }
  }
}

/** The vector itself where the factor is 1, to the bit, or is none. */
const scaled = (values: Float64Array, factor: number) =>
  factor === 1 || !Number.isFinite(factor) ? values : values.map((x) => factor * x);

/** What all networks of a kind must agree in: the study's options say it once. */
function common<T>(members: readonly Member[], what: string, of: (network: NetworkDeclaration) => T): T {
  const values = members.flatMap((m) => m.blocks.map((b) => of(b.declaration.network)));
  check(
    new Set(values.map((v) => JSON.stringify(v))).size === 1,
    "usage",
    `the study's code has one ${what} for all blocks, this model has several: ${[...new Set(values)].join(", ")}`,
  );
  return values[0];
}

/** The options that all training programs share. */
function shared(members: readonly Member[], study: Study): Record<string, string | number | boolean | null> {
  const name = common(members, "activation", (n) => n.activation);
  const act = Object.keys(ACTIVATIONS).find((key) => ACTIVATIONS[key] === name);
  const two = activationOf(name).outputs === 2;
  check(
    act !== undefined && (study === "mlvlab" || (!two && act !== "CPila")),
    "usage",
    `the code of ${study} does not know the activation ${name}`,
  );
  const kind = common(members, "kind of network", (n) => n.kind);
  check(
    kind === "multilayer" || study === "mlvlab",
    "usage",
    `the code of ${study} knows no dense concatenation`,
  );
  const learned = common(members, "start of learned concatenation", (n) => n.learnConcatenationFrom);
  return {
    act,
    coeff: common(members, "coeff", (n) => n.coeff),
    learn_p: false,
    batchnorm: false,
    n_samples: 1,
    n_power_series: null,
    ...(study === "mlvlab"
      ? {
          densenet: kind === "dense",
          densenet_depth: common(members, "depth", (n) => n.depth),
          lip_coeff: common(members, "lip", (n) => n.lip),
          learnable_concat: learned !== Number.MAX_SAFE_INTEGER,
          start_learnable_concat: 0,
          monotone_resolvent: members[0].blocks[0].declaration.kind === "monotone",
        }
      : {}),
  };
}

function toyProgram(
  declaration: FlowDeclaration,
  members: readonly Member[],
  study: Study,
  actnorm: boolean,
): Options {
  const { powerIterations, kind } = members[0].blocks[0].declaration.network;
  const depth = common(members, "depth", (n) => n.depth);
  const growth = common(members, "width", (n) => n.growth);
  const preactivation = common(members, "pre-activation", (n) => n.preactivation ?? false);
  check(
    kind === "dense" || preactivation === (study !== "implicit"),
    "usage",
    `the networks of ${study} on vectors ${study === "implicit" ? "have no" : "start with an"} activation before the first layer`,
  );
  check(
    common(members, "stem", (n) => n.stem ?? 0) === 0,
    "usage",
    `the networks of ${study} on vectors have no stem`,
  );
  check(
    declaration.dim === 2,
    "usage",
    `train_toy.py of ${study} is for 2 dimensions, the model has ${declaration.dim}`,
  );
  return {
    arch: study === "implicit" ? "implicit" : "iresnet",
    ...shared(members, study),
    actnorm,
    nblocks: members.length,
    dims: Array.from({ length: depth }, () => growth).join("-"),
    vnorms: "2".repeat(depth + 2),
    n_lipschitz_iters: powerIterations,
    brute_force: true,
    n_dist: "geometric",
    ...(study === "mlvlab" ? { densenet_growth: growth } : {}),
  };
}

function imageProgram(
  declaration: FlowDeclaration,
  chain: Chain,
  study: Study,
  actnorm: boolean,
  leading: boolean,
): Options {
  const { image, estimator } = declaration;
  check(image !== undefined, "internal", "no image");
  const convolutions = chain.scales.flat();
  const { connected, scales } = chain;
  const all = [...convolutions, ...connected];
  check(
    connected.length === 0 || connected.length === CONNECTED[study],
    "usage",
    `models of ${study} end with ${CONNECTED[study]} fully connected blocks or with none, this one with ${connected.length}`,
  );
  scales.forEach(([{ shape }]) => {
    check(
      Math.min(shape.height, shape.width) >= SMALLEST_SCALE,
      "usage",
      `models of ${study} have scales of ${SMALLEST_SCALE} x ${SMALLEST_SCALE} pixels at least, not of ${shape.height} x ${shape.width}`,
    );
  });
  const dense = common(all, "kind of network", (n) => n.kind) === "dense";
  const depth = common(all, "depth", (n) => n.depth);
  const kernels = common(convolutions, "list of kernels", (n) => n.kernel ?? 1);
  check(
    !dense || kernels === 3,
    "usage",
    `the dense networks of ${study} have kernels of 3 x 3 and a closing one of 1 x 1, not ${kernels}`,
  );
  const first = preactivationOf(chain, study);
  check(
    connected.length === 0 || !dense || common(connected, "stem", (n) => n.stem ?? 0) === STEM,
    "usage",
    `the fully connected networks of ${study} have a stem of ${STEM} features`,
  );
  check(
    first.leading === null || first.leading || !leading,
    "usage",
    `models of ${study} with an actnorm before the first block have no activation at the start of that block's network`,
  );
  const width = common(convolutions, "width", (n) => n.growth);
  const connectedWidth =
    connected.length > 0 ? common(connected, "width of fully connected blocks", (n) => n.growth) : 32;
  const list = Array.isArray(kernels) ? kernels : [...Array.from({ length: depth }, () => kernels), 1];
  return {
    ...imageOptions(image),
    ...shared(all, study),
    block: "resblock",
    actnorm,
    fc_actnorm: false,
    nblocks: scales.map((scale) => scale.length).join("-"),
    squeeze_first: chain.squeezeFirst,
    factor_out: chain.factorOut,
    first_resblock: first.leading ?? leading,
    preact: first.preact,
    fc: false,
    fc_end: connected.length > 0,
    kernels: list.join("-"),
    vnorms: "2".repeat(list.length + 1),
    idim: width,
    fc_idim: connectedWidth,
    ...(study === "mlvlab"
      ? { densenet_growth: width, fc_densenet_growth: connectedWidth, var_deq: false }
      : {}),
    n_lipschitz_iters: null,
    sn_tol: common(all, "tolerance of the power iteration", (n) => n.spectralTolerance ?? 1e-3),
    n_dist: estimator?.law ?? "poisson",
    n_exact_terms: estimator?.exactTerms ?? 2,
    quadratic: false,
    dropout: 0,
    padding: 0,
    task: "density",
  };
}

/**
 * Whether networks start with an activation, and whether the first block's is an exception (`first_resblock`); null
 * where that option does not touch the networks.
 */
function preactivationOf(
  { scales, connected }: Chain,
  study: Study,
): { preact: boolean; leading: boolean | null } {
  const starts = (members: readonly Member[]) =>
    members.flatMap((m) => m.blocks.map((b) => b.declaration.network.preactivation ?? false));
  const convolutions = scales.flat();
  if (convolutions[0].blocks[0].declaration.network.kind === "dense") return { preact: false, leading: null };
  // In a model of one scale the option has an effect in implicit flows alone.
  const excepted = scales.length > 1 || study === "implicit";
  const rest = [...starts(excepted ? convolutions.slice(1) : convolutions), ...starts(connected)];
  const own = starts(convolutions.slice(0, 1));
  const preact = rest[0] ?? own[0];
  check(
    rest.every((p) => p === preact) &&
      own.every((p) => p === own[0]) &&
      (own[0] === preact || (excepted && !own[0])),
    "usage",
    `the networks of ${study} all start with an activation, or none, or all but that of the first block`,
  );
  return { preact, leading: excepted && preact ? !own[0] : null };
}

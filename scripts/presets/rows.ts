/**
 * The settings of the original studies' code, and how to read the same of a preset. What a preset has is computed, so it
 * is true; where it differs from the original, the row has to say why.
 */
import type { FlowDeclaration } from "../../src/flows/declaration.js";
import type { NetworkDeclaration } from "../../src/networks/declaration.js";
import type { TrainingOptions } from "../../src/training/options.js";

/** A model and its training, with what the data add. */
export interface Plan {
  /** What the values of a table are named by where they differ. */
  readonly name: string;
  readonly declaration: FlowDeclaration;
  readonly training: Omit<TrainingOptions, "seed" | "steps">;
  readonly steps: number;
  /** Steps of an epoch, where there are epochs. */
  readonly anEpoch?: number;
  readonly flips?: boolean;
}

export interface Row {
  readonly setting: string;
  /** What the original has, in the words that `of` uses, and where. */
  readonly original: string;
  readonly where: string;
  of(plan: Plan): string;
  /** Why the preset differs from the original. */
  readonly why?: string;
  /** Why even the preset with `-original` does. */
  readonly still?: string;
}

/** The values of several plans: one where they are equal, else each with the names that have it. */
export function values(plans: readonly Plan[], of: Row["of"]): string {
  const names = new Map<string, string[]>();
  for (const plan of plans) {
    const value = of(plan);
    names.set(value, [...(names.get(value) ?? []), plan.name]);
  }
  const [[only]] = names;
  if (names.size === 1) return only;
  return [...names].map(([value, owners]) => `${value} (${owners.join(", ")})`).join("; ");
}

const count = (n: number) => n.toLocaleString("en");
const yes = (value: unknown) => (value ? "yes" : "no");
const kinds = ({ declaration }: Plan) => declaration.bijections.map(({ kind }) => kind);
const networks = ({ declaration }: Plan): NetworkDeclaration[] =>
  declaration.bijections.flatMap((b) => ("network" in b ? [b.network] : []));
const first = (plan: Plan): NetworkDeclaration => networks(plan)[0];

/** Blocks of each scale; those behind `flatten` are not of a scale. */
function blocks({ declaration }: Plan): { scales: number[]; connected: number } {
  const scales = [0];
  let connected = 0;
  let flat = false;
  for (const b of declaration.bijections) {
    if (b.kind === "squeeze" && scales.some((n) => n > 0)) scales.push(0);
    if (b.kind === "flatten") flat = true;
    if ("network" in b && flat) connected++;
    else if ("network" in b) scales[scales.length - 1]++;
  }
  return { scales, connected };
}

/** The layers of a network in words. */
function layers({ kind, kernel, depth, growth, stem, preactivation }: NetworkDeclaration): string {
  const side = (k: number) => `${k} x ${k}`;
  const behind = stem ? `${stem} features, then ` : "";
  const list = Array.isArray(kernel)
    ? `, kernels ${kernel.join("-")}`
    : kernel
      ? `, ${side(kernel as number)}, closing 1 x 1`
      : "";
  const how = kind === "dense" ? `dense, ${depth} layers that add ${growth}` : `${depth} layers of ${growth}`;
  return `${behind}${how}${list}${preactivation ? ", behind a pre-activation" : ""}`;
}

const scale = ({ declaration }: Plan) => {
  const block = declaration.bijections.find(({ kind }) => kind === "monotone");
  return block?.kind === "monotone" ? (block.scale ?? 1) : null;
};

const actnorm = ({ declaration }: Plan) => declaration.bijections.find(({ kind }) => kind === "actnorm");

const beforeTheFirst = (plan: Plan) => {
  const sequence = kinds(plan).filter((kind) => kind !== "squeeze");
  return yes(sequence[0] === "actnorm");
};

const behindAll = (plan: Plan) => {
  const sequence = kinds(plan);
  return yes(sequence.every((kind, i) => !/residual|monotone/.test(kind) || sequence[i + 1] === "actnorm"));
};

const scientific = (x: number) =>
  x === 0 ? "0" : x < 0.01 ? x.toExponential(2).replace(/\.?0+e/, "e") : String(Number(x.toPrecision(4)));

/** From nats to bits per dimension. */
const inBits = (x: number | undefined, { declaration }: Plan, perDimension: boolean) =>
  x === undefined ? null : x / Math.LN2 / (perDimension ? 1 : declaration.dim);

const estimator = ({ declaration }: Plan) => {
  if (!declaration.estimator) throw new Error("these log-determinants are exact");
  return declaration.estimator;
};

const law = (plan: Plan) => {
  const { law, rate } = estimator(plan);
  return law === "poisson" ? `Poisson(${rate})` : `geometric(${rate})`;
};

/** What the networks, weights and optimisers of all studies have. */
const common: Record<string, Row["of"]> = {
  activation: (plan) => first(plan).activation,
  limits: (plan) => `${first(plan).coeff}, ${first(plan).lip}`,
  limit: (plan) => String(first(plan).coeff),
  closing: (plan) =>
    first(plan).closingStart === "uniform" ? "as all layers" : "0.3 times its weights, no biases",
  optimiser: ({ training }) => `Adam, decays ${(training.betas ?? [0.9, 0.999]).join(" and ")}`,
  rate: ({ training }) => scientific(training.learningRate),
  schedule: ({ training }) =>
    training.schedule
      ? `x ${training.schedule.map(({ from, factor }) => `${factor} from step ${count(from)}`).join(", x ")}`
      : "none",
  warmUp: ({ training }) => (training.warmUp ? `${count(training.warmUp)} steps` : "none"),
  l2: ({ training }) => scientific(training.l2),
  clip: (plan) => {
    const clip = inBits(plan.training.clip, plan, true);
    return clip === null ? "none" : `norm ${scientific(clip)} of the gradient in bits/dim`;
  },
  averaging: ({ training }) => (training.averaging ? `decay ${training.averaging}` : "none"),
  batch: ({ training }) => count(training.batch),
  learn: (plan) => {
    const { learnConcatenationFrom: step } = first(plan);
    return step === 0 ? "the start" : `step ${count(step + 1)}`;
  },
};

const images: Record<string, Row["of"]> = {
  noise: ({ declaration }) => (declaration.dequantization ? "learned" : "uniform on [0, 1)"),
  flips: ({ flips }) => (flips ? "half of them" : "none"),
  alpha: ({ declaration }) => scientific(declaration.image?.alpha ?? 0),
  blocks: (plan) => blocks(plan).scales.join("-"),
  squeeze: (plan) => yes(kinds(plan)[0] === "squeeze"),
  factorOut: (plan) => yes(kinds(plan).includes("factor-out")),
  floor: (plan) => {
    const norm = actnorm(plan);
    return String((norm?.kind === "actnorm" && norm.varianceFloor) || "none");
  },
  layers: (plan) => layers(first(plan)),
  others: (plan) => layers(networks(plan)[1]),
  connected: (plan) =>
    `${blocks(plan).connected} blocks: ${layers(networks(plan).at(-1) as NetworkDeclaration)}`,
  scale: (plan) => {
    const s = scale(plan);
    if (s === null) return "y = x + G(x)";
    return s === 1
      ? "w + G(w) = 2x, y = w - x"
      : s === Math.SQRT2
        ? "w + G(w) = √2 x, y = √2 w - x"
        : `scale ${s}`;
  },
  spectral: (plan) => {
    const { powerIterations, spectralTolerance = 0 } = first(plan);
    return `at most ${powerIterations} rounds, to ${scientific(spectralTolerance)}`;
  },
  series: (plan) => `${law(plan)} behind ${estimator(plan).exactTerms} terms`,
  seriesInEvaluation: (plan) =>
    `geometric law behind ${estimator(plan).exactTermsInEvaluation} terms, or more by the certified bound`,
  probes: (plan) => `${estimator(plan).probe}, ${estimator(plan).probes} a sample`,
  solver: (plan) => scientific(estimator(plan).tolerance),
  epsilon: (plan) =>
    `${scientific(inBits(plan.training.epsilon ?? 1e-8, plan, false) ?? 0)} for gradients in bits/dim`,
  learnedFrom: (plan) => {
    const { learnConcatenationFrom: step } = first(plan);
    return step === 0 ? "the start" : `epoch ${Math.ceil(step / (plan.anEpoch ?? 1)) + 1}`;
  },
  length: ({ steps, anEpoch = 1 }) => `${count(Math.round(steps / anEpoch))} epochs`,
};

const WHY_PROBES =
  "The variance of v^T J v is 2‖S‖² for normal and 2(‖S‖² - sum of S_ii²) for Rademacher probes, S the symmetric part of J: never larger";
const WHY_CLOSING =
  "Every block starts near the identity: solves are short from the first step on. 2spirals after 1,000 steps, means of three seeds: 2.817 nats against 2.868";
const WHY_SCALE =
  "The same functions up to the scale of G's input, in the formula of the Cayley operator. 2spirals after 1,000 steps, means of three seeds: 2.817 nats against 2.829, less than seeds differ";
const WHY_TOLERANCE =
  "Ten times looser: what is left of a solve is far below the noise of the estimate. Outside of training solves go on to one rounding";
const STILL_POWER =
  "We stop where the norm changes by less than that share in a round, the code where both vectors do in the root mean square";
const STILL_EVALUATION =
  "Estimates by a Poisson law have no finite variance, so their scatter says nothing of their error ([math.md](math.md))";
const WHY_LENGTH = "A length to plan for; the code runs until it is stopped, at most so long";

/** What is no setting of a preset: how this package trains, whatever the preset. */
const alike = (setting: string, original: string, where: string, here: string, why: string): Row => ({
  setting,
  original,
  where,
  of: () => here,
  why,
  still: why,
});

const divisor = (where: string) =>
  alike(
    "what weights are divided by",
    "power iteration's estimate of their norm",
    where,
    "the same, or certified bounds where these do not make G a contraction for certain",
    'Estimates are from below: with them alone a step may use a block that is not invertible. A declaration with `limit: "estimated"` has the code\'s way',
  );

const howAllImagesAreTrained: readonly Row[] = [
  divisor("`lib/layers/base/mixed_lipschitz.py`"),
  alike(
    "order of training images",
    "epochs without replacement",
    "`train_img.py`, loaders",
    "drawn with replacement",
    "Any step's batch is known by its number alone: runs go on bit for bit, on any number of ranks",
  ),
  alike(
    "first steps of the weights' average",
    "decay 0.999 from the first step",
    "`lib/utils.py`",
    "decay min(0.999, t/(t + 9))",
    "The start is forgotten sooner; equal from step 8,991 on",
  ),
  alike(
    "which weights are the model",
    "those of the epoch with the best test loss",
    "`train_img.py`, end of an epoch",
    "those of the last step, averaged",
    "Choosing by the test set makes its loss optimistic",
  ),
];

const howImagesAreTrained: readonly Row[] = [
  ...howAllImagesAreTrained,
  alike(
    "number of terms of a series",
    "one draw a block, step and GPU",
    "`lib/layers/iresblock.py`",
    "one draw a block and step",
    "All ranks have equally much to do",
  ),
  alike(
    "Adam's moments of concatenation factors",
    "from step 1 on, also while the factors are put back to 1",
    "`train_img.py`, `reset_parameters`",
    "from the step on from which they are learned",
    "Gradients from before say nothing of what is learned then",
  ),
  alike(
    "solver",
    "one-step Anderson, then damped",
    "`lib/layers/solvers.py`",
    "Anderson with memory, safeguarded",
    "Only the way to the same fixed point differs",
  ),
];

/** train_img.py with the commands of the README, for Monotone Flows. */
export const monotoneImages: readonly Row[] = [
  {
    setting: "noise on pixels",
    original: "uniform on [0, 1)",
    where: "`train_img.py`, `add_noise`",
    of: images.noise,
  },
  {
    setting: "mirrored training images",
    original: "none (mnist, imagenet32, imagenet64); half of them (cifar10)",
    where: "`train_img.py`, transforms",
    of: images.flips,
  },
  {
    setting: "logit's distance from 0 and 1",
    original: "1e-6 (mnist); 0.05 (cifar10, imagenet32, imagenet64)",
    where: "`train_img.py`, `LogitTransform`",
    of: images.alpha,
  },
  {
    setting: "blocks of the scales",
    original: "16-16-16 (mnist, cifar10); 32-32-32 (imagenet32, imagenet64)",
    where: "README, `--nblocks`",
    of: images.blocks,
  },
  {
    setting: "squeeze before the first scale",
    original: "no (mnist, cifar10, imagenet32); yes (imagenet64)",
    where: "README, `--squeeze-first`",
    of: images.squeeze,
  },
  {
    setting: "half of the channels leave after a scale",
    original: "no (mnist, cifar10, imagenet32); yes (imagenet64)",
    where: "README, `--factor-out`",
    of: images.factorOut,
  },
  {
    setting: "actnorm before the first block",
    original: "yes",
    where: "`lib/resflow.py`, `first_resblock`",
    of: beforeTheFirst,
  },
  {
    setting: "actnorm behind every block",
    original: "yes",
    where: "`lib/resflow.py`, `actnorm`",
    of: behindAll,
  },
  {
    setting: "least variance where an actnorm starts",
    original: "0.2",
    where: "`lib/layers/act_norm.py`",
    of: images.floor,
  },
  {
    setting: "fully connected blocks at the end",
    original: "4 blocks: 64 features, then dense, 3 layers that add 32",
    where: "`lib/resflow.py`, `FCNet`",
    of: images.connected,
  },
  {
    setting: "networks of the convolutional blocks",
    original: "dense, 3 layers that add 172, 3 x 3, closing 1 x 1",
    where: "`lib/resflow.py`, README",
    of: images.layers,
  },
  { setting: "activation", original: "CPila", where: "README, `--act`", of: common.activation },
  {
    setting: "limits of spectral norms, of concatenations",
    original: "0.98, 0.98",
    where: "`train_img.py`, `--coeff`, `--lip_coeff`",
    of: common.limits,
  },
  {
    setting: "start of the closing layers",
    original: "as all layers",
    where: "`lib/layers/base/mixed_lipschitz.py`",
    of: common.closing,
    why: WHY_CLOSING,
  },
  {
    setting: "monotone block",
    original: "w + G(w) = √2 x, y = √2 w - x",
    where: "`lib/layers/iresblock.py`",
    of: images.scale,
    why: WHY_SCALE,
  },
  {
    setting: "power iteration at a step",
    original: "at most 200 rounds, to 1e-3",
    where: "`train_img.py`, `--sn-tol`",
    of: images.spectral,
    why: STILL_POWER,
    still: STILL_POWER,
  },
  {
    setting: "series in training",
    original: "Poisson(2) behind 10 terms",
    where: "README, `--n-exact-terms`",
    of: images.series,
  },
  {
    setting: "series in evaluation",
    original: "Poisson(2) behind 20 terms",
    where: "`lib/layers/iresblock.py`",
    of: images.seriesInEvaluation,
    why: STILL_EVALUATION,
    still: STILL_EVALUATION,
  },
  {
    setting: "probes",
    original: "normal, 1 a sample",
    where: "`lib/layers/iresblock.py`",
    of: images.probes,
    why: WHY_PROBES,
  },
  {
    setting: "solver's tolerance in training",
    original: "1e-6",
    where: "`lib/layers/iresblock.py`, `RootFind`",
    of: images.solver,
    why: WHY_TOLERANCE,
  },
  {
    setting: "images a step",
    original: "256 (mnist, imagenet32, imagenet64); 64 (cifar10)",
    where: "README, `--batchsize`, `--update-freq` (mnist: 4 times 64)",
    of: common.batch,
  },
  {
    setting: "optimiser",
    original: "Adam, decays 0.9 and 0.99",
    where: "`train_img.py`",
    of: common.optimiser,
  },
  {
    setting: "Adam's epsilon",
    original: "1e-8 for gradients in bits/dim",
    where: "`lib/optimizers.py`",
    of: images.epsilon,
  },
  {
    setting: "step size",
    original: "1e-3 (mnist, cifar10); 4e-3 (imagenet32, imagenet64)",
    where: "README, `--lr`",
    of: common.rate,
  },
  {
    setting: "warm-up",
    original: "250 steps (mnist); 1,000 steps (cifar10, imagenet32, imagenet64)",
    where: "`train_img.py`, `update_lr` (mnist: 1,000 quarters of a batch)",
    of: common.warmUp,
  },
  {
    setting: "changes of the step size",
    original: "none",
    where: "`train_img.py`, `--scheduler`",
    of: common.schedule,
  },
  {
    setting: "clipping",
    original: "norm 1 of the gradient in bits/dim",
    where: "`train_img.py`, `clip_grad_norm_`",
    of: common.clip,
  },
  { setting: "L2", original: "0", where: "`train_img.py`, `--wd`", of: common.l2 },
  {
    setting: "average of the weights",
    original: "decay 0.999",
    where: "`lib/utils.py`",
    of: common.averaging,
  },
  {
    setting: "concatenations are learned from",
    original: "epoch 26 (mnist, cifar10); the start (imagenet32, imagenet64)",
    where: "README, `--start_learnable_concat`",
    of: images.learnedFrom,
  },
  {
    setting: "length",
    original: "1,000 epochs",
    where: "`train_img.py`, `--nepochs`",
    of: images.length,
    why: WHY_LENGTH,
  },
  ...howImagesAreTrained,
];

const sharedWithMonotoneFlows = [
  "noise on pixels",
  "mirrored training images",
  "logit's distance from 0 and 1",
  "blocks of the scales",
  "squeeze before the first scale",
  "half of the channels leave after a scale",
  "actnorm before the first block",
  "actnorm behind every block",
  "least variance where an actnorm starts",
  "power iteration at a step",
  "series in evaluation",
  "probes",
  "optimiser",
  "Adam's epsilon",
  "changes of the step size",
  "clipping",
  "L2",
  "average of the weights",
];

/** train_img.py of residual-flows with the commands of its README. */
export const residualFlows: readonly Row[] = [
  ...monotoneImages
    .filter(({ setting }) => sharedWithMonotoneFlows.includes(setting))
    // Where these presets are the original's there is nothing to explain.
    .map(({ why, ...row }) => ({ ...row, where: where(row.where), ...(row.still && why ? { why } : {}) })),
  {
    setting: "network of the first block",
    original: "2 layers of 512, kernels 3-1-3",
    where: "`resflows/resflow.py`",
    of: images.layers,
  },
  {
    setting: "networks of the other convolutional blocks",
    original: "2 layers of 512, kernels 3-1-3, behind a pre-activation",
    where: "`resflows/resflow.py`, `preact`",
    of: images.others,
  },
  {
    setting: "fully connected blocks at the end",
    original: "4 blocks: 2 layers of 128, behind a pre-activation",
    where: "`resflows/resflow.py`, `FCNet`",
    of: images.connected,
  },
  { setting: "activation", original: "LipSwish", where: "`train_img.py`, `--act`", of: common.activation },
  {
    setting: "limit of spectral norms",
    original: "0.98",
    where: "`train_img.py`, `--coeff`",
    of: common.limit,
  },
  {
    setting: "start of the closing layers",
    original: "as all layers",
    where: "`resflows/layers/base/mixed_lipschitz.py`",
    of: common.closing,
  },
  {
    setting: "series in training",
    original: "Poisson(2) behind 2 terms",
    where: "`train_img.py`, `--n-exact-terms`",
    of: images.series,
  },
  { setting: "images a step", original: "64", where: "`train_img.py`, `--batchsize`", of: common.batch },
  { setting: "step size", original: "1e-3", where: "`train_img.py`, `--lr`", of: common.rate },
  { setting: "warm-up", original: "1,000 steps", where: "`train_img.py`, `update_lr`", of: common.warmUp },
  {
    setting: "length",
    original: "1,000 epochs",
    where: "`train_img.py`, `--nepochs`",
    of: images.length,
    why: WHY_LENGTH,
    still: WHY_LENGTH,
  },
  ...howAllImagesAreTrained.map((row) => ({ ...row, where: where(row.where) })),
];

/** The places in the code of residual-flows. */
function where(text: string): string {
  return text.replace("README, ", "`train_img.py`, ").replaceAll("`lib/", "`resflows/");
}

const exact: Record<string, Row["of"]> = {
  blocks: (plan) => count(networks(plan).length),
  rounds: (plan) => `${first(plan).powerIterations} rounds`,
};

/** train_toy.py with the commands of the README. */
export const planarRows: readonly Row[] = [
  { setting: "blocks, without actnorms", original: "10", where: "README, `--nblocks`", of: exact.blocks },
  {
    setting: "networks",
    original: "dense, 3 layers that add 16",
    where: "README, `--densenet_depth`, `--densenet_growth`",
    of: images.layers,
  },
  {
    setting: "activation",
    original: "CPila (monotone); CLipSwish (i-densenet)",
    where: "README, `--act`",
    of: common.activation,
  },
  {
    setting: "limits of spectral norms, of concatenations",
    original: "0.9, 0.98",
    where: "`train_toy.py`, `--coeff`, `--lip_coeff`",
    of: common.limits,
  },
  {
    setting: "start of the closing layers",
    original: "as all layers",
    where: "`train_toy.py`, `zero_init=False`",
    of: common.closing,
    why: WHY_CLOSING,
  },
  {
    setting: "block",
    original: "w + G(w) = √2 x, y = √2 w - x (monotone); y = x + G(x) (i-densenet)",
    where: "`lib/layers/iresblock.py`",
    of: images.scale,
    why: WHY_SCALE,
  },
  {
    setting: "power iteration at a step",
    original: "5 rounds",
    where: "`train_toy.py`, `--n-lipschitz-iters`",
    of: exact.rounds,
  },
  { setting: "samples a step", original: "500", where: "`train_toy.py`, `--batch_size`", of: common.batch },
  {
    setting: "optimiser",
    original: "Adam, decays 0.9 and 0.999",
    where: "`train_toy.py`",
    of: common.optimiser,
  },
  { setting: "step size", original: "1e-3", where: "`train_toy.py`, `--lr`", of: common.rate },
  { setting: "warm-up", original: "none", where: "`train_toy.py`", of: common.warmUp },
  { setting: "L2", original: "1e-5", where: "`train_toy.py`, `--weight-decay`", of: common.l2 },
  { setting: "clipping", original: "none", where: "`train_toy.py`", of: common.clip },
  { setting: "average of the weights", original: "none", where: "`train_toy.py`", of: common.averaging },
  {
    setting: "concatenations are learned from",
    original: "step 25,000",
    where: "README, `--start_learnable_concat`",
    of: common.learn,
    why: "The code counts from 1 and lets the last step of the first half in. In the default length, 5,000 steps, they stay even",
  },
  {
    setting: "length",
    original: "50,000 steps",
    where: "`train_toy.py`, `--niters`",
    of: ({ steps }) => `${count(steps)} steps`,
    why: "A good fit in under two minutes; `--steps 50000` and `reproduce 2d` have the original's",
  },
  divisor("`lib/layers/base/mixed_lipschitz.py`"),
  alike(
    "which weights are the model",
    "those of the best of 500 tests on fresh samples",
    "`train_toy.py`",
    "those of the last step",
    "The best of many noisy tests looks better than it is",
  ),
];

/** train_1dexample.py with the command of the README for experiment (d). */
export const staircaseRows: readonly Row[] = [
  { setting: "blocks", original: "2", where: "README, `--nblocks`", of: exact.blocks },
  {
    setting: "actnorm behind every block of (b), (d), behind the pair of (c)",
    original: "yes",
    where: "`train_1dexample.py`",
    of: behindAll,
  },
  {
    setting: "actnorm before the first block of (b) to (d)",
    original: "yes",
    where: "`train_1dexample.py`",
    of: beforeTheFirst,
    why: "x on [-2, 2] has the variance 4/3 as it is; what bounds a chain's slopes is the product of all scales, which the actnorms behind the blocks provide",
  },
  {
    setting: "least variance where an actnorm starts",
    original: "0.2",
    where: "`lib/layers/act_norm.py`",
    of: images.floor,
    why: "Blocks start near the identity on x of variance 4/3: no variance comes near it",
  },
  { setting: "networks", original: "dense, 4 layers that add 128", where: "README", of: images.layers },
  { setting: "activation", original: "CReLU", where: "README, `--act`", of: common.activation },
  {
    setting: "limits of spectral norms, of concatenations",
    original: "0.99, 0.99",
    where: "README, `--coeff`, `--lip_coeff`",
    of: common.limits,
  },
  {
    setting: "start of the closing layers",
    original: "as all layers",
    where: "`train_1dexample.py`, `zero_init=False`",
    of: common.closing,
    why: WHY_CLOSING,
  },
  {
    setting: "monotone block",
    original: "w + G(w) = √2 x, y = √2 w - x",
    where: "`lib/layers/iresblock.py`",
    of: images.scale,
    why: "The same functions up to the scale of G's input, in the formula of the Cayley operator",
  },
  {
    setting: "power iteration at a step",
    original: "at most 200 rounds, to 1e-4",
    where: "README, `--atol`, `--rtol`",
    of: exact.rounds,
    why: "Vectors go on from step to step; the trained model's norms are iterated until they stand still",
  },
  { setting: "samples a step", original: "5,000", where: "README, `--batch_size`", of: common.batch },
  {
    setting: "optimiser",
    original: "Adam, decays 0.9 and 0.999",
    where: "`train_1dexample.py`",
    of: common.optimiser,
  },
  { setting: "step size", original: "0.01", where: "README, `--lr`", of: common.rate },
  {
    setting: "changes of the step size",
    original: "x 0.2 from step 5,000, x 0.04 from step 10,000",
    where: "`train_1dexample.py`",
    of: common.schedule,
  },
  { setting: "L2", original: "0", where: "README, `--weight-decay`", of: common.l2 },
  {
    setting: "concatenations are learned from",
    original: "the start",
    where: "README, `--start_learnable_concat`",
    of: common.learn,
  },
  {
    setting: "length",
    original: "15,000 steps",
    where: "README, `--niters`",
    of: ({ steps }) => `${count(steps)} steps`,
  },
  divisor("`lib/layers/base/mixed_lipschitz.py`"),
  alike(
    "which weights are the model",
    "those of the best of 150 tests",
    "`train_1dexample.py`",
    "those of the last step",
    "The best of many tests looks better than it is",
  ),
];

/** Multi-scale flows of images: convolutional blocks between squeezes, then fully connected blocks. */
import { z } from "zod";
import type { BaseDeclaration } from "../bases/index.js";
import type { BijectionDeclaration } from "../bijections/index.js";
import { check } from "../errors.js";
import { type Estimator, estimatorOptions } from "../logdet/estimator.js";
import { type Kernel, type NetworkDeclaration, networkSchema, side } from "../networks/declaration.js";
import { option, resolved } from "../options.js";
import { sizeOf } from "../shape.js";
import { type FlowDeclaration, imageShape, parseDeclaration } from "./declaration.js";
import { blockOf, type Formulation, flowSchema, formulation, scale } from "./monotone-flow.js";

const count = z.number().int().positive();
const network = networkSchema.shape;

export const imageFlowSchema = z.strictObject({
  channels: option(count, "channels of an image"),
  height: option(count, "height of an image, in pixels"),
  width: option(count, "width of an image, in pixels"),
  levels: option(imageShape.levels, "pixels are 0 to levels - 1").default(256),
  alpha: option(imageShape.alpha, "how far from 0 and 1 the logit at the start keeps").default(0.05),
  blocks: option(
    z.array(count).min(1).readonly(),
    "blocks of each scale, the finest first; a squeeze stands between scales",
    { typescript: "readonly number[]" },
  ).default([4, 4]),
  squeezeFirst: option(z.boolean(), "whether a squeeze comes before the first scale, too").default(true),
  factorOut: option(
    z.boolean(),
    "whether half of the channels leave the chain after every scale but the last",
  ).default(false),
  actnormFirst: option(
    z.boolean(),
    "whether an actnorm comes before the first block, too; one follows every block",
  ).default(false),
  varianceFloor: option(z.number().positive(), "the least variance that counts where an actnorm starts", {
    absent: "none",
  }).optional(),
  formulation: formulation.default("monotone"),
  scale: scale.default(1),
  network: network.kind.default("dense"),
  depth: network.depth.default(3),
  kernels: option(
    z.array(side).readonly(),
    "sides of the convolutions' kernels, the closing one's last: one more than `depth`",
    { typescript: "readonly Kernel[]", absent: "3 each, closing 1" },
  ).optional(),
  preactivation: option(
    z.boolean(),
    "multilayer only: whether all blocks but the first apply the activation to their input first",
  ).default(false),
  growth: network.growth.default(32),
  connected: option(
    z.strictObject({
      blocks: z.number().int().nonnegative(),
      stem: network.stem,
      growth: network.growth,
    }),
    "fully connected blocks at the end, the features of their stems if they have any, and what their layers add, or have",
    {
      typescript: "ConnectedBlocks",
      absent: "2, 64 or with a pre-activation none, 32",
    },
  ).optional(),
  activation: network.activation.default("CPila"),
  coeff: network.coeff.default(0.98),
  lip: network.lip.default(0.98),
  spectralTolerance: network.spectralTolerance.unwrap().default(1e-3),
  learnConcatenationFrom: network.learnConcatenationFrom.default(0),
  closingStart: network.closingStart.unwrap().default("near-zero"),
  base: flowSchema.shape.base,
  dequantization: option(
    z.enum(["uniform", "variational"]),
    "noise on the pixels of images: uniform, or variational, which is learned with the flow (Ho et al. 2019)",
  ).default("uniform"),
  estimator: option(estimatorOptions, "how log-determinants are estimated", {
    typescript: "Partial<Estimator>",
    absent: "Poisson(2) roulette behind 10 exact terms in training, at least 20 exact ones in evaluation",
  }).optional(),
});

/** Fully connected blocks: their number, the features of their stems, and what their layers add, or have. */
export interface ConnectedBlocks {
  readonly blocks: number;
  readonly stem?: number | undefined;
  readonly growth: number;
}

/** What `imageFlow` makes a flow of. */
export interface ImageFlowOptions {
  /** Channels of an image (from 1 on). */
  readonly channels: number;
  /** Height of an image, in pixels (from 1 on). */
  readonly height: number;
  /** Width of an image, in pixels (from 1 on). */
  readonly width: number;
  /** Pixels are 0 to levels - 1 (2 to 65536; default: 256). */
  readonly levels?: number | undefined;
  /** How far from 0 and 1 the logit at the start keeps (above 0 and below 0.5; default: 0.05). */
  readonly alpha?: number | undefined;
  /** Blocks of each scale, the finest first; a squeeze stands between scales (default: 4, 4). */
  readonly blocks?: readonly number[] | undefined;
  /** Whether a squeeze comes before the first scale, too (default: true). */
  readonly squeezeFirst?: boolean | undefined;
  /** Whether half of the channels leave the chain after every scale but the last (default: false). */
  readonly factorOut?: boolean | undefined;
  /** Whether an actnorm comes before the first block, too; one follows every block (default: false). */
  readonly actnormFirst?: boolean | undefined;
  /** The least variance that counts where an actnorm starts (above 0; default: none). */
  readonly varianceFloor?: number | undefined;
  /** The formulation of every block (default: monotone). */
  readonly formulation?: Formulation | undefined;
  /** Scale s of monotone blocks, which are then s F(x / s) (above 0; default: 1). */
  readonly scale?: number | undefined;
  /** `dense` concatenates every layer's output to its input; `multilayer` feeds it forward (default: dense). */
  readonly network?: "dense" | "multilayer" | undefined;
  /** Layers before the closing linear one, without the stem (1 to 64; default: 3). */
  readonly depth?: number | undefined;
  /** Sides of the convolutions' kernels, the closing one's last: one more than `depth` (default: 3 each, closing 1). */
  readonly kernels?: readonly Kernel[] | undefined;
  /** Multilayer only: whether all blocks but the first apply the activation to their input first (default: false). */
  readonly preactivation?: boolean | undefined;
  /** Channels that a layer adds (dense) or has (multilayer), after its activation (1 to 4096; default: 32). */
  readonly growth?: number | undefined;
  /**
   * Fully connected blocks at the end, the features of their stems if they have any, and what their layers add, or have
   * (default: 2, 64 or with a pre-activation none, 32).
   */
  readonly connected?: ConnectedBlocks | undefined;
  /** The activation (default: CPila). */
  readonly activation?: string | undefined;
  /** Upper limit of every weight's spectral norm (above 0 and below 1; default: 0.98). */
  readonly coeff?: number | undefined;
  /** Dense only: Lipschitz constant of one concatenation (above 0 and below 1; default: 0.98). */
  readonly lip?: number | undefined;
  /** The relative change of a norm at which its power iteration ends (from 0 on; default: 0: never before its time). */
  readonly spectralTolerance?: number | undefined;
  /** Dense only: the training step from which the concatenation is learned (from 0 on; default: 0). */
  readonly learnConcatenationFrom?: number | undefined;
  /**
   * How the closing layer starts: with small weights and no bias, G near 0, or as all layers do (default: near-zero).
   */
  readonly closingStart?: "near-zero" | "uniform" | undefined;
  /** The density of the latents (default: standard normal). */
  readonly base?: BaseDeclaration | undefined;
  /**
   * Noise on the pixels of images: uniform, or variational, which is learned with the flow (Ho et al. 2019) (default:
   * uniform).
   */
  readonly dequantization?: "uniform" | "variational" | undefined;
  /**
   * How log-determinants are estimated (default: Poisson(2) roulette behind 10 exact terms in training, at least 20
   * exact ones in evaluation).
   */
  readonly estimator?: Partial<Estimator> | undefined;
}

/** The estimator of image flows, unless they ask for another one. */
export const stochastic: Estimator = estimatorOptions.parse({});

/** Layers of the networks that learn the noise, and the channels that each adds. */
const NOISE = { depth: 2, growth: 16, activation: "CPila", learnConcatenationFrom: 0 };

/** Rounds of power iteration at a training step, at most. */
const ROUNDS = 50;

/** The chain of Ahn et al. (2022) and of the residual flows before it. */
export function imageFlow(options: ImageFlowOptions): FlowDeclaration {
  const given = resolved(imageFlowSchema, options, "imageFlow");
  const { channels, height, width, levels, alpha, blocks, squeezeFirst, factorOut, actnormFirst } = given;
  const { varianceFloor, preactivation, closingStart, formulation, scale, depth, growth } = given;
  const stem = preactivation ? {} : { stem: 64 };
  const { blocks: connected, ...wide } = given.connected ?? { blocks: 2, ...stem, growth: 32 };
  const network: NetworkDeclaration = {
    kind: given.network,
    kernel: given.kernels ?? 3,
    depth,
    growth,
    activation: given.activation,
    coeff: given.coeff,
    lip: given.lip,
    powerIterations: ROUNDS,
    spectralTolerance: given.spectralTolerance,
    learnConcatenationFrom: given.learnConcatenationFrom,
    ...(closingStart === "near-zero" ? {} : { closingStart }),
  };
  const { kernel: _, ...matrices } = network;
  const actnorm: BijectionDeclaration = { kind: "actnorm", ...(varianceFloor ? { varianceFloor } : {}) };
  const behind = preactivation ? { preactivation } : {};
  const repeat = (count: number, own: NetworkDeclaration, first = false): BijectionDeclaration[] =>
    Array.from({ length: count }, (_, i) => [
      blockOf(formulation, first && i === 0 ? own : { ...own, ...behind }, scale),
      actnorm,
    ]).flat();
  const squeezed = (i: number) => i > 0 || squeezeFirst;
  const scales = blocks.flatMap((count, i): BijectionDeclaration[] => [
    ...(i > 0 && factorOut ? [{ kind: "factor-out" } as const] : []),
    ...(squeezed(i) ? [{ kind: "squeeze" } as const] : []),
    ...(i === 0 && actnormFirst ? [actnorm] : []),
    ...repeat(count, network, i === 0),
  ]);
  const end: BijectionDeclaration[] =
    connected > 0 ? [{ kind: "flatten" }, ...repeat(connected, { ...matrices, ...wide })] : [];
  const bijections = [...scales, ...end];
  const squeezes = blocks.filter((_, i) => squeezed(i)).length;
  const unit = 2 ** squeezes;
  check(
    height % unit === 0 && width % unit === 0,
    "usage",
    `images of ${width} x ${height} pixels do not fit: they are squeezed ${squeezes === 1 ? "once" : `${squeezes} times`}, ` +
      `so width and height must be multiples of ${unit}; resize or crop them, or use fewer scales`,
  );
  return parseDeclaration(
    {
      dim: sizeOf({ channels, height, width }),
      image: { channels, height, width, levels, alpha },
      ...(given.dequantization === "variational"
        ? {
            dequantization: {
              kind: "variational",
              network: { ...network, kind: "dense", kernel: 3, ...NOISE },
            },
          }
        : {}),
      estimator: given.estimator ?? stochastic,
      bijections,
      ...(given.base ? { base: given.base } : {}),
    },
    "imageFlow",
    "usage",
  );
}

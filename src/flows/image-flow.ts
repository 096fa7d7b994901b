/** Multi-scale flows of images: convolutional blocks between squeezes, then fully connected blocks. */

import type { BijectionDeclaration } from "../bijections/index.js";
import { check } from "../errors.js";
import type { Estimator } from "../logdet/estimator.js";
import type { Kernel, NetworkDeclaration } from "../networks/declaration.js";
import { sizeOf } from "../shape.js";
import { type FlowDeclaration, type Formulation, parseDeclaration } from "./declaration.js";

export interface ImageFlowOptions {
  /** Of an image, in pixels. */
  channels: number;
  height: number;
  width: number;
  /** Pixels are 0 to levels - 1 (default 256). */
  levels?: number;
  /** How far from 0 and 1 the logit at the start keeps (default 0.05). */
  alpha?: number;
  /** Blocks of each scale, the finest first; a squeeze stands between scales (default [4, 4]). */
  blocks?: readonly number[];
  /** Whether a squeeze comes before the first scale, too (default true). */
  squeezeFirst?: boolean;
  /** Whether half of the channels leave the chain after every scale but the last (default false). */
  factorOut?: boolean;
  /** Whether an actnorm comes before the first block, too; one follows every block (default false). */
  actnormFirst?: boolean;
  /** The least variance that counts where an actnorm starts (default: none). */
  varianceFloor?: number;
  /** The formulation of every block (default monotone). */
  formulation?: Formulation;
  /** s of monotone blocks, which are then s F(x / s) (default 1). */
  scale?: number;
  /** Dense concatenation, or layers one after the other (default dense). */
  network?: "dense" | "multilayer";
  /** Layers of each network before its closing one (default 3). */
  depth?: number;
  /** Sides of the convolutions' kernels, the closing one's last: one more than `depth` (default: 3 each, closing 1). */
  kernels?: readonly Kernel[];
  /** Whether all blocks but the first apply the activation to their input first (multilayer only; default false). */
  preactivation?: boolean;
  /** Channels each convolution adds, or has (default 32). */
  growth?: number;
  /**
   * Fully connected blocks at the end, the features of their stems if they have any, and what their layers add, or have
   * (default 2, 64 or with a pre-activation none, 32).
   */
  connected?: { blocks: number; stem?: number; growth: number };
  /** Activation (default CPila). */
  activation?: string;
  /** Upper limit of the weights' spectral norms (default 0.98). */
  coeff?: number;
  /** Lipschitz constant of one concatenation (default 0.98). */
  lip?: number;
  /** The relative change at which a power iteration ends (default 1e-3). */
  spectralTolerance?: number;
  /** The training step from which concatenations are learned (default 0). */
  learnConcatenationFrom?: number;
  /** How the networks' closing layers start (default near-zero: blocks near the identity). */
  closingStart?: "near-zero" | "uniform";
  /** Noise on pixels: uniform, or learned with the flow (Ho et al. 2019; default uniform). */
  dequantization?: "uniform" | "variational";
  /** How log-determinants are estimated (default: `stochastic`). */
  estimator?: Partial<Estimator>;
}

/** Poisson(2) roulette behind 10 exact terms in training; in evaluation at least 20 are exact (`boundedRoulette`). */
export const stochastic: Estimator = {
  law: "poisson",
  rate: 2,
  exactTerms: 10,
  exactTermsInEvaluation: 20,
  probe: "rademacher",
  probes: 1,
  tolerance: 1e-5,
};

/** Layers of the networks that learn the noise, and the channels that each adds. */
const NOISE = { depth: 2, growth: 16, activation: "CPila", learnConcatenationFrom: 0 };

/** Rounds of power iteration at a training step, at most. */
const ROUNDS = 50;

/** The chain of Ahn et al. (2022) and of the residual flows before it. */
export function imageFlow(options: ImageFlowOptions): FlowDeclaration {
  const { channels, height, width, levels = 256, alpha = 0.05, blocks = [4, 4] } = options;
  const { scale, varianceFloor, preactivation, closingStart } = options;
  const stem = preactivation ? {} : { stem: 64 };
  const { blocks: connected, ...wide } = options.connected ?? { blocks: 2, ...stem, growth: 32 };
  const network: NetworkDeclaration = {
    kind: options.network ?? "dense",
    kernel: options.kernels ?? 3,
    depth: options.depth ?? 3,
    growth: options.growth ?? 32,
    activation: options.activation ?? "CPila",
    coeff: options.coeff ?? 0.98,
    lip: options.lip ?? 0.98,
    powerIterations: ROUNDS,
    spectralTolerance: options.spectralTolerance ?? 1e-3,
    learnConcatenationFrom: options.learnConcatenationFrom ?? 0,
    ...(closingStart ? { closingStart } : {}),
  };
  const { kernel: _, ...matrices } = network;
  const actnorm: BijectionDeclaration = { kind: "actnorm", ...(varianceFloor ? { varianceFloor } : {}) };
  const block = (own: NetworkDeclaration): BijectionDeclaration => {
    const kind = options.formulation ?? "monotone";
    return kind === "monotone" ? { kind, network: own, ...(scale ? { scale } : {}) } : { kind, network: own };
  };
  const behind = preactivation ? { preactivation } : {};
  const repeat = (count: number, own: NetworkDeclaration, first = false): BijectionDeclaration[] =>
    Array.from({ length: count }, (_, i) => [
      block(first && i === 0 ? own : { ...own, ...behind }),
      actnorm,
    ]).flat();
  const squeezed = (i: number) => i > 0 || (options.squeezeFirst ?? true);
  const scales = blocks.flatMap((count, i): BijectionDeclaration[] => [
    ...(i > 0 && options.factorOut ? [{ kind: "factor-out" } as const] : []),
    ...(squeezed(i) ? [{ kind: "squeeze" } as const] : []),
    ...(i === 0 && options.actnormFirst ? [actnorm] : []),
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
      ...(options.dequantization === "variational"
        ? {
            dequantization: {
              kind: "variational",
              network: { ...network, kind: "dense", kernel: 3, ...NOISE },
            },
          }
        : {}),
      estimator: { ...stochastic, ...options.estimator },
      bijections,
    },
    "imageFlow",
    "usage",
  );
}

/** The declaration of a flow: plain JSON that says everything about its architecture. */
import { z } from "zod";
import { type BaseDeclaration, baseSchema } from "../bases/index.js";
import { type BijectionDeclaration, bijectionSchema } from "../bijections/index.js";
import { type ErrorCode, FlowError } from "../errors.js";
import { estimatorSchema } from "../logdet/estimator.js";
import { type NetworkDeclaration, networkSchema } from "../networks/declaration.js";
import { firstIssue } from "./json.js";

const count = z.number().int().positive();

/** Dimensions up to which Jacobians are computed whole. */
const EXACT_DIM = 16;
const MAX_DIM = 1 << 20;
const MAX_BIJECTIONS = 4_096;

const declaration = z
  .strictObject({
    dim: count.max(MAX_DIM),
    /** Rows are images, [channel][y][x], of pixels with noise; the chain starts with their logit. */
    image: z
      .strictObject({
        channels: count,
        height: count,
        width: count,
        levels: count.min(2).max(1 << 16),
        alpha: z.number().positive().lt(0.5),
      })
      .optional(),
    /** Learned noise on the pixels, from two networks of this kind each; absent: the data bring uniform noise. */
    dequantization: z.strictObject({ kind: z.literal("variational"), network: networkSchema }).optional(),
    /** Present: blocks solve by fixed points and estimate log-determinants; absent: all is exact. */
    estimator: estimatorSchema.optional(),
    /** A fixed start of the chain: (x - mean) / deviation, in float64. */
    standardisation: z
      .strictObject({ mean: z.array(z.number()), deviation: z.array(z.number().positive()) })
      .optional(),
    bijections: z.array(bijectionSchema).min(1).max(MAX_BIJECTIONS),
    /** The density of the latents (default: standard normal). */
    base: baseSchema.optional(),
  })
  .refine(({ dim, standardisation: s }) => !s || (s.mean.length === dim && s.deviation.length === dim), {
    path: ["standardisation"],
    message: "it needs one mean and one deviation a dimension",
  })
  .refine(({ dim, image }) => !image || image.channels * image.height * image.width === dim, {
    path: ["image"],
    message: "its channels, height and width must multiply to dim",
  })
  .refine(({ image, dequantization }) => image || !dequantization, {
    path: ["dequantization"],
    message: "only images have pixels to dequantize",
  })
  .refine(({ dim, estimator: e }) => e || dim <= EXACT_DIM, {
    path: ["dim"],
    message: `more than ${EXACT_DIM} dimensions need an estimator of log-determinants`,
  });

/** A flow as plain JSON: dimensions, preprocessing, chain, base distribution. It is `flow.json` in a run directory. */
export type FlowDeclaration = z.infer<typeof declaration>;
/** What a block makes of its network (docs/math.md, "Three formulations of one block"). */
export type Formulation = "residual" | "inverse-residual" | "monotone";

/** Checks a declaration that was read from somewhere; throws an `input` error that says where it is wrong. */
export function parseDeclaration(value: unknown, where: string, code: ErrorCode = "input"): FlowDeclaration {
  const result = declaration.safeParse(value);
  if (!result.success) {
    throw new FlowError(code, `${where}: the flow's declaration is wrong ${firstIssue(result.error)}`);
  }
  return result.data as FlowDeclaration;
}

/** What `monotoneFlow` makes a flow of. */
export interface FlowOptions {
  /** Dimensions of the data, 1 to 16. */
  dim: number;
  /** Number of blocks (default 10). */
  blocks?: number;
  /** The formulation of every block (default monotone). */
  formulation?: Formulation;
  /** s of monotone blocks, which are then s F(x / s) (default 1). */
  scale?: number;
  /** Layers of each block's dense concatenation (default 3). */
  depth?: number;
  /** Channels each layer adds (default 16). */
  growth?: number;
  /** Activation (default CPila). */
  activation?: string;
  /** Upper limit of the weights' spectral norms (default 0.9). */
  coeff?: number;
  /** Lipschitz constant of one concatenation (default 0.98). */
  lip?: number;
  /** Whether an actnorm follows every block (default false). */
  actnorm?: boolean;
  /** Power iterations at every training step (default 5). */
  powerIterations?: number;
  /** The training step from which concatenations are learned (default 25,000). */
  learnConcatenationFrom?: number;
  /** How the networks' closing layers start (default near-zero: blocks near the identity). */
  closingStart?: "near-zero" | "uniform";
  /** Mean and deviation of each column, in its units: the chain sees (x - mean) / deviation (default: x itself). */
  standardisation?: { mean: number[]; deviation: number[] };
  /** The density of the latents (default: standard normal). */
  base?: BaseDeclaration;
}

/** A chain of equal blocks with dense concatenation; the defaults are those of the paper's 2-D experiment. */
export function monotoneFlow(options: FlowOptions): FlowDeclaration {
  const { formulation: kind = "monotone", scale, closingStart } = options;
  const network: NetworkDeclaration = {
    kind: "dense",
    depth: options.depth ?? 3,
    growth: options.growth ?? 16,
    activation: options.activation ?? "CPila",
    coeff: options.coeff ?? 0.9,
    lip: options.lip ?? 0.98,
    powerIterations: options.powerIterations ?? 5,
    learnConcatenationFrom: options.learnConcatenationFrom ?? 25_000,
    ...(closingStart ? { closingStart } : {}),
  };
  const block: BijectionDeclaration =
    kind === "monotone" ? { kind, network, ...(scale ? { scale } : {}) } : { kind, network };
  const chain = Array.from({ length: options.blocks ?? 10 }, (): BijectionDeclaration[] =>
    options.actnorm ? [block, { kind: "actnorm" }] : [block],
  ).flat();
  return parseDeclaration(
    {
      dim: options.dim,
      ...(options.standardisation ? { standardisation: options.standardisation } : {}),
      bijections: chain,
      ...(options.base ? { base: options.base } : {}),
    },
    "monotoneFlow",
    "usage",
  );
}

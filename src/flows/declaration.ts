/** The declaration of a flow: plain JSON that says everything about its architecture. */
import { z } from "zod";
import { activationNames } from "../activations/index.js";
import { type ErrorCode, FlowError } from "../errors.js";
import { firstIssue } from "./json.js";

const count = z.number().int().positive();

/** Dimensions up to which Jacobians are computed whole. */
const EXACT_DIM = 16;
const MAX_DIM = 1 << 20;
const MAX_BIJECTIONS = 4_096;

const side = z.union([z.literal(1), z.literal(3)]);

const network = z
  .strictObject({
    kind: z.enum(["dense", "multilayer"]),
    kernel: z.union([side, z.array(side).readonly()]).optional(),
    stem: count.max(4096).optional(),
    preactivation: z.boolean().optional(),
    depth: count.max(64),
    growth: count.max(4096),
    activation: z.enum(activationNames as [string, ...string[]]),
    coeff: z.number().positive().lt(1),
    lip: z.number().positive().lt(1),
    powerIterations: count.max(10_000),
    spectralTolerance: z.number().nonnegative().optional(),
    learnConcatenationFrom: z.number().int().nonnegative(),
    limit: z.enum(["certified", "estimated"]).optional(),
    closingStart: z.enum(["near-zero", "uniform"]).optional(),
  })
  .refine(({ kernel, depth }) => !Array.isArray(kernel) || kernel.length === depth + 1, {
    path: ["kernel"],
    message: "a list of kernels has one for each layer and one for the closing layer",
  })
  .refine(
    ({ preactivation, kind, stem }) => !preactivation || (kind === "multilayer" && stem === undefined),
    {
      path: ["preactivation"],
      message: "it stands before layers that follow one another (multilayer), without a stem",
    },
  );

const bijection = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.enum(["residual", "inverse-residual"]), network }),
  /** With a scale s: s F(x / s). */
  z.strictObject({ kind: z.literal("monotone"), network, scale: z.number().positive().optional() }),
  /** With a floor: the least variance that counts where it starts from a batch. */
  z.strictObject({ kind: z.literal("actnorm"), varianceFloor: z.number().positive().optional() }),
  z.strictObject({ kind: z.enum(["squeeze", "flatten", "factor-out"]) }),
]);

const terms = z.number().int().nonnegative().max(10_000);

/** Stochastic log-determinants; see `logdet/`. */
const estimator = z.strictObject({
  law: z.enum(["geometric", "poisson"]),
  rate: z.number().positive().max(1_000),
  exactTerms: terms,
  exactTermsInEvaluation: terms,
  probe: z.enum(["rademacher", "normal"]),
  probes: count.max(64),
  /** The solvers' tolerance in training: the largest residual over the largest number of a sample, or 1. */
  tolerance: z.number().positive(),
});

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
    dequantization: z.strictObject({ kind: z.literal("variational"), network }).optional(),
    /** Present: blocks solve by fixed points and estimate log-determinants; absent: all is exact. */
    estimator: estimator.optional(),
    /** A fixed start of the chain: (x - mean) / deviation, in float64. */
    standardisation: z
      .strictObject({ mean: z.array(z.number()), deviation: z.array(z.number().positive()) })
      .optional(),
    bijections: z.array(bijection).min(1).max(MAX_BIJECTIONS),
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
  .refine(({ estimator: e }) => e?.law !== "geometric" || e.rate <= 1, {
    path: ["estimator", "rate"],
    message: "a geometric law's rate is the chance to stop after a term, so at most 1",
  })
  .refine(({ dim, estimator: e }) => e || dim <= EXACT_DIM, {
    path: ["dim"],
    message: `more than ${EXACT_DIM} dimensions need an estimator of log-determinants`,
  });

export type FlowDeclaration = z.infer<typeof declaration>;
export type BijectionDeclaration = z.infer<typeof bijection>;
export type NetworkOptions = z.infer<typeof network>;
export type EstimatorOptions = z.infer<typeof estimator>;
export type Formulation = "residual" | "inverse-residual" | "monotone";

/** Checks a declaration that was read from somewhere; throws an `input` error that says where it is wrong. */
export function parseDeclaration(value: unknown, where: string, code: ErrorCode = "input"): FlowDeclaration {
  const result = declaration.safeParse(value);
  if (!result.success) {
    throw new FlowError(code, `${where}: the flow's declaration is wrong ${firstIssue(result.error)}`);
  }
  return result.data as FlowDeclaration;
}

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
  standardisation?: { mean: number[]; deviation: number[] };
}

/** A chain of equal blocks with dense concatenation; the defaults are those of the paper's 2-D experiment. */
export function monotoneFlow(options: FlowOptions): FlowDeclaration {
  const { formulation: kind = "monotone", scale, closingStart } = options;
  const network: NetworkOptions = {
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
    },
    "monotoneFlow",
    "usage",
  );
}

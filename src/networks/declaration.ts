/** The declaration of a Lipschitz network from R^dim to R^dim, or from `dim` channels of an image to as many. */
import { z } from "zod";
import { activation, activationNames } from "../activations/index.js";
import { check } from "../errors.js";
import { option } from "../options.js";

const count = z.number().int().positive();
/** Of kernels. */
export const side = z.union([z.literal(1), z.literal(3)]);

export const networkSchema = z
  .strictObject({
    kind: option(
      z.enum(["dense", "multilayer"]),
      "`dense` concatenates every layer's output to its input; `multilayer` feeds it forward",
    ),
    kernel: option(
      z.union([side, z.array(side).readonly()]),
      "side of the layers' kernels, 3 for convolutions: one number for all layers but the closing one, which is then 1 x 1, or a list of them, the closing layer's last",
      { typescript: "Kernel | readonly Kernel[]", absent: "1, matrices" },
    ).optional(),
    stem: option(count.max(4096), "features of the stem", { absent: "no stem" }).optional(),
    preactivation: option(
      z.boolean(),
      "multilayer without a stem: whether the first layer reads act(x) in place of x",
      { absent: "false" },
    ).optional(),
    depth: option(count.max(64), "layers before the closing linear one, without the stem", {
      usual: [1, 8],
    }),
    growth: option(
      count.max(4096),
      "channels that a layer adds (dense) or has (multilayer), after its activation",
      { usual: [1, 128] },
    ),
    activation: option(z.enum(activationNames as [string, ...string[]]), "the activation"),
    coeff: option(z.number().positive().lt(1), "upper limit of every weight's spectral norm", {
      usual: [0.5, 0.99],
      step: 0.01,
    }),
    lip: option(z.number().positive().lt(1), "dense only: Lipschitz constant of one concatenation", {
      usual: [0.5, 0.99],
      step: 0.01,
    }),
    powerIterations: option(count.max(10_000), "power iterations at every training step, at most"),
    spectralTolerance: option(
      z.number().nonnegative(),
      "the relative change of a norm at which its power iteration ends",
      { absent: "0: never before its time" },
    ).optional(),
    learnConcatenationFrom: option(
      z.number().int().nonnegative(),
      "dense only: the training step from which the concatenation is learned",
    ),
    limit: option(
      z.enum(["certified", "estimated"]),
      "what divides the weights: `certified`, the norms that power iteration has found, or certified bounds where those do not prove that G is a contraction; `estimated`, what power iteration has found and nothing else, as in the original studies' code, so that G need not be a contraction",
      { absent: "certified" },
    ).optional(),
    closingStart: option(
      z.enum(["near-zero", "uniform"]),
      "how the closing layer starts: with small weights and no bias, G near 0, or as all layers do",
      { absent: "near-zero" },
    ).optional(),
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
  )
  .superRefine(({ growth, activation: name }, context) => {
    if (growth % activation(name).outputs === 0) return;
    const message = `growth ${growth} must be even: ${name} has two outputs`;
    context.addIssue({ code: "custom", path: ["growth"], message });
  });

/** A Lipschitz network, as a block's declaration has it (docs/math.md, "Lipschitz networks"). */
export interface NetworkDeclaration {
  /** `dense` concatenates every layer's output to its input; `multilayer` feeds it forward. */
  readonly kind: "dense" | "multilayer";
  /**
   * Side of the layers' kernels, 3 for convolutions: one number for all layers but the closing one, which is then 1 x
   * 1, or a list of them, the closing layer's last (default: 1, matrices).
   */
  readonly kernel?: Kernel | readonly Kernel[] | undefined;
  /** Features of the stem (1 to 4096; default: no stem). */
  readonly stem?: number | undefined;
  /** Multilayer without a stem: whether the first layer reads act(x) in place of x (default: false). */
  readonly preactivation?: boolean | undefined;
  /** Layers before the closing linear one, without the stem (1 to 64). */
  readonly depth: number;
  /** Channels that a layer adds (dense) or has (multilayer), after its activation (1 to 4096). */
  readonly growth: number;
  /** The activation. */
  readonly activation: string;
  /** Upper limit of every weight's spectral norm (above 0 and below 1). */
  readonly coeff: number;
  /** Dense only: Lipschitz constant of one concatenation (above 0 and below 1). */
  readonly lip: number;
  /** Power iterations at every training step, at most (1 to 10000). */
  readonly powerIterations: number;
  /** The relative change of a norm at which its power iteration ends (from 0 on; default: 0: never before its time). */
  readonly spectralTolerance?: number | undefined;
  /** Dense only: the training step from which the concatenation is learned (from 0 on). */
  readonly learnConcatenationFrom: number;
  /**
   * What divides the weights: `certified`, the norms that power iteration has found, or certified bounds where those do
   * not prove that G is a contraction; `estimated`, what power iteration has found and nothing else, as in the original
   * studies' code, so that G need not be a contraction (default: certified).
   */
  readonly limit?: "certified" | "estimated" | undefined;
  /**
   * How the closing layer starts: with small weights and no bias, G near 0, or as all layers do (default: near-zero).
   */
  readonly closingStart?: "near-zero" | "uniform" | undefined;
}

/** The side of a kernel. */
export type Kernel = z.infer<typeof side>;

/** The sides of the kernels of `depth` layers and of the closing one. Throws a `usage` error for a list of another length. */
export function kernelsOf({
  kernel,
  depth,
}: Pick<NetworkDeclaration, "kernel" | "depth">): readonly Kernel[] {
  if (!Array.isArray(kernel)) {
    return [...Array.from({ length: depth }, () => (kernel as Kernel | undefined) ?? 1), 1];
  }
  check(
    kernel.length === depth + 1,
    "usage",
    `a network of depth ${depth} has ${depth + 1} layers with its closing one, not the ${kernel.length} of kernels ${kernel.join("-")}`,
  );
  return kernel;
}

/** The declaration of a Lipschitz network from R^dim to R^dim, or from `dim` channels of an image to as many. */
import { z } from "zod";
import { activationNames } from "../activations/index.js";
import { check } from "../errors.js";

const count = z.number().int().positive();
const side = z.union([z.literal(1), z.literal(3)]);

export const networkSchema = z
  .strictObject({
    /** `dense` concatenates every layer's output to its input; `multilayer` feeds it forward. */
    kind: z.enum(["dense", "multilayer"]),
    /**
     * Side of the layers' kernels, 3 for convolutions: one number for all layers but the closing one, which is then 1 x 1,
     * or a list of them, the closing layer's last (default: 1, matrices).
     */
    kernel: z.union([side, z.array(side).readonly()]).optional(),
    /** Features of the stem (default: no stem). */
    stem: count.max(4096).optional(),
    /** Whether the first layer reads act(x) in place of x (multilayer, without a stem). */
    preactivation: z.boolean().optional(),
    /** Number of layers before the closing linear one, without the stem. */
    depth: count.max(64),
    /** Channels that a layer adds (dense) or has (multilayer), after its activation. */
    growth: count.max(4096),
    activation: z.enum(activationNames as [string, ...string[]]),
    /** Upper limit of every weight's spectral norm. */
    coeff: z.number().positive().lt(1),
    /** Lipschitz constant of one concatenation (dense only). */
    lip: z.number().positive().lt(1),
    /** Power iterations at every training step, at most. */
    powerIterations: count.max(10_000),
    /** The relative change of a norm at which its power iteration ends (default 0: never before its time). */
    spectralTolerance: z.number().nonnegative().optional(),
    /** The training step from which the concatenation is learned (dense only). */
    learnConcatenationFrom: z.number().int().nonnegative(),
    /**
     * What divides the weights: `certified`, the norms that power iteration has found, or certified bounds where those do
     * not prove that G is a contraction; `estimated`, what power iteration has found and nothing else, as in the original
     * studies' code, so that G need not be a contraction (default certified).
     */
    limit: z.enum(["certified", "estimated"]).optional(),
    /** How the closing layer starts: with small weights and no bias, G near 0, or as all layers do (default near-zero). */
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

/** A Lipschitz network, as a block's declaration has it (docs/math.md, "Lipschitz networks"). */
export type NetworkDeclaration = Readonly<z.infer<typeof networkSchema>>;

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

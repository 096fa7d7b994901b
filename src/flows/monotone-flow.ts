/** Flows of tables: a chain of equal blocks with dense concatenation. */
import { z } from "zod";
import { type BaseDeclaration, baseSchema } from "../bases/index.js";
import type { BijectionDeclaration } from "../bijections/index.js";
import { type NetworkDeclaration, networkSchema } from "../networks/declaration.js";
import { option, resolved } from "../options.js";
import { EXACT_DIM, type FlowDeclaration, parseDeclaration } from "./declaration.js";

/** What a block makes of its network (docs/math.md, "Three formulations of one block"). */
export type Formulation = "residual" | "inverse-residual" | "monotone";

const count = z.number().int().positive();
const network = networkSchema.shape;

export const formulation = option(
  z.enum(["monotone", "residual", "inverse-residual"]),
  "the formulation of every block",
  { typescript: "Formulation" },
);
export const scale = option(z.number().positive(), "scale s of monotone blocks, which are then s F(x / s)");

/** A mean and a deviation for each column. */
export interface Standardisation {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** The defaults are those of the paper's 2-D experiment. */
export const flowSchema = z.strictObject({
  dim: option(count.max(EXACT_DIM), "dimensions of the data"),
  blocks: option(count.max(2048), "number of blocks", { usual: [1, 40] }).default(10),
  formulation: formulation.default("monotone"),
  scale: scale.default(1),
  depth: network.depth.default(3),
  growth: network.growth.default(16),
  activation: network.activation.default("CPila"),
  coeff: network.coeff.default(0.9),
  lip: network.lip.default(0.98),
  actnorm: option(z.boolean(), "whether an actnorm follows every block").default(false),
  powerIterations: network.powerIterations.default(5),
  learnConcatenationFrom: network.learnConcatenationFrom.default(25_000),
  closingStart: network.closingStart.unwrap().default("near-zero"),
  standardisation: option(
    z.strictObject({
      mean: z.array(z.number()).readonly(),
      deviation: z.array(z.number().positive()).readonly(),
    }),
    "mean and deviation of each column, in its units: the chain sees (x - mean) / deviation",
    { typescript: "Standardisation", absent: "x itself" },
  ).optional(),
  base: option(baseSchema, "the density of the latents", {
    typescript: "BaseDeclaration",
    absent: "standard normal",
  }).optional(),
});

/** What `monotoneFlow` makes a flow of. */
export interface FlowOptions {
  /** Dimensions of the data (1 to 16). */
  readonly dim: number;
  /** Number of blocks (1 to 2048; default: 10). */
  readonly blocks?: number | undefined;
  /** The formulation of every block (default: monotone). */
  readonly formulation?: Formulation | undefined;
  /** Scale s of monotone blocks, which are then s F(x / s) (above 0; default: 1). */
  readonly scale?: number | undefined;
  /** Layers before the closing linear one, without the stem (1 to 64; default: 3). */
  readonly depth?: number | undefined;
  /** Channels that a layer adds (dense) or has (multilayer), after its activation (1 to 4096; default: 16). */
  readonly growth?: number | undefined;
  /** The activation (default: CPila). */
  readonly activation?: string | undefined;
  /** Upper limit of every weight's spectral norm (above 0 and below 1; default: 0.9). */
  readonly coeff?: number | undefined;
  /** Dense only: Lipschitz constant of one concatenation (above 0 and below 1; default: 0.98). */
  readonly lip?: number | undefined;
  /** Whether an actnorm follows every block (default: false). */
  readonly actnorm?: boolean | undefined;
  /** Power iterations at every training step, at most (1 to 10000; default: 5). */
  readonly powerIterations?: number | undefined;
  /** Dense only: the training step from which the concatenation is learned (from 0 on; default: 25000). */
  readonly learnConcatenationFrom?: number | undefined;
  /**
   * How the closing layer starts: with small weights and no bias, G near 0, or as all layers do (default: near-zero).
   */
  readonly closingStart?: "near-zero" | "uniform" | undefined;
  /** Mean and deviation of each column, in its units: the chain sees (x - mean) / deviation (default: x itself). */
  readonly standardisation?: Standardisation | undefined;
  /** The density of the latents (default: standard normal). */
  readonly base?: BaseDeclaration | undefined;
}

/**
 * The declaration of a chain of equal blocks with dense concatenation; the defaults are those of the paper's 2-D
 * experiment. Throws a `usage` error that names an option outside of its limits.
 */
export function monotoneFlow(options: FlowOptions): FlowDeclaration {
  const { dim, blocks, formulation, scale, actnorm, standardisation, base, closingStart, ...own } = resolved(
    flowSchema,
    options,
    "monotoneFlow",
  );
  const network: NetworkDeclaration = {
    kind: "dense",
    ...own,
    ...(closingStart === "near-zero" ? {} : { closingStart }),
  };
  const block = blockOf(formulation, network, scale);
  const bijections = Array.from({ length: blocks }, (): BijectionDeclaration[] =>
    actnorm ? [block, { kind: "actnorm" }] : [block],
  ).flat();
  return parseDeclaration(
    {
      dim,
      ...(standardisation ? { standardisation } : {}),
      bijections,
      ...(base ? { base } : {}),
    },
    "monotoneFlow",
    "usage",
  );
}

/** A block of that formulation; a declaration has no scale where it is 1. */
export function blockOf(kind: Formulation, network: NetworkDeclaration, scale: number): BijectionDeclaration {
  return kind === "monotone" && scale !== 1 ? { kind, network, scale } : { kind, network };
}

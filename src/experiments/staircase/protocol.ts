/**
 * 1-D fitting (Ahn et al. 2022): flows of two blocks fit a staircase on [-2, 2] by least squares. The four variants
 * differ in their bijections alone; every network in them is the same.
 */
import type { BijectionDeclaration } from "../../bijections/index.js";
import type { FlowDeclaration } from "../../flows/declaration.js";
import type { Formulation } from "../../flows/monotone-flow.js";
import type { TrainingOptions } from "../../training/options.js";

type Chain = readonly (Formulation | "actnorm")[];

export interface Variant {
  /** Of its run directory. */
  readonly name: string;
  /** As figures and tables call it. */
  readonly title: string;
  readonly chain: Chain;
}

export const variants: readonly Variant[] = [
  { name: "a-residual", title: "(a) 2 residual blocks", chain: ["residual", "residual"] },
  {
    name: "b-residual-actnorm",
    title: "(b) 2 residual blocks, actnorm",
    chain: ["residual", "actnorm", "residual", "actnorm"],
  },
  {
    name: "c-implicit-actnorm",
    title: "(c) implicit pair, actnorm",
    chain: ["residual", "inverse-residual", "actnorm"],
  },
  {
    name: "d-monotone-actnorm",
    title: "(d) 2 monotone blocks, actnorm",
    chain: ["monotone", "actnorm", "monotone", "actnorm"],
  },
];

/** What is done at full length, and what --quick does of it. */
export interface Protocol {
  readonly network: {
    readonly depth: number;
    readonly growth: number;
    readonly activation: string;
    readonly coeff: number;
    readonly lip: number;
    readonly powerIterations: number;
    readonly learnConcatenationFrom: number;
  };
  readonly training: Omit<TrainingOptions, "seed" | "objective">;
  /** How many times lower the error of (d) must be than the least of the others. */
  readonly factor: number;
}

export const full: Protocol = {
  network: {
    depth: 4,
    growth: 128,
    activation: "CReLU",
    coeff: 0.99,
    lip: 0.99,
    powerIterations: 5,
    learnConcatenationFrom: 0,
  },
  training: {
    steps: 15_000,
    batch: 5_000,
    learningRate: 1e-2,
    schedule: [
      { from: 5_000, factor: 0.2 },
      { from: 10_000, factor: 0.04 },
    ],
    l2: 0,
  },
  factor: 10,
};

/** Networks of half the width, a twentieth of the samples a step, about half of the steps; the schedule in proportion. */
export const quick: Protocol = {
  network: { ...full.network, growth: 64 },
  training: {
    ...full.training,
    steps: 8_000,
    batch: 250,
    schedule: [
      { from: 2_667, factor: 0.2 },
      { from: 5_333, factor: 0.04 },
    ],
  },
  factor: 2,
};

/** The flow of a variant. */
export function declarationOf({ chain }: Variant, protocol: Protocol): FlowDeclaration {
  const network = { kind: "dense" as const, ...protocol.network };
  const bijections = chain.map(
    (kind): BijectionDeclaration => (kind === "actnorm" ? { kind } : { kind, network }),
  );
  return { dim: 1, bijections };
}

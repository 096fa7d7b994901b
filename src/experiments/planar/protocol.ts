/**
 * 2-D density modelling (Ahn et al. 2022): which models are trained on which data, and for how long.
 * Everything else is that of `planar` in the presets.
 */
import { toyDensities } from "../../data/toy/index.js";
import type { FlowDeclaration } from "../../flows/declaration.js";
import { monotoneFlow } from "../../flows/monotone-flow.js";
import { version } from "../../manifest.js";
import { improvedTraining, planar } from "../../presets/presets.js";
import { RUN_FORMAT, type RunConfig } from "../../runs/run.js";

/** What is done at full length, and what --quick does of it. */
export interface Protocol {
  readonly steps: number;
  readonly data: readonly string[];
  /** Data sets of the ablation. */
  readonly ablation: readonly string[];
  /** Data sets on which both models are also trained with the better recipe. */
  readonly improved: readonly string[];
  /** The average gap of Monotone Flow to the entropy must be below this, in nats. */
  readonly averageGap: number;
}

const data = toyDensities.map(({ name }) => name);

export const full: Protocol = {
  steps: planar.fullSteps,
  data,
  ablation: ["2spirals", "checkerboard"],
  // Where the original training leaves most to gain, and where it leaves the two models level (8gaussians).
  improved: ["2spirals", "8gaussians", "checkerboard", "rings"],
  averageGap: 0.03,
};

/** The same models, data and batches, 20 times fewer steps. */
export const quick: Protocol = {
  steps: 2_500,
  data,
  ablation: ["2spirals"],
  improved: ["8gaussians", "checkerboard"],
  averageGap: 0.15,
};

/** The rows and columns of the ablation. An inverse residual pair is a residual and an inverse residual block. */
export const formulations = ["residual", "inverse residual pair", "monotone"] as const;
export const activations = ["CLipSwish", "CPila"] as const;

export interface Model {
  readonly formulation: (typeof formulations)[number];
  readonly activation: (typeof activations)[number];
}

export const iDenseNet: Model = { formulation: "residual", activation: "CLipSwish" };
export const monotoneFlows: Model = { formulation: "monotone", activation: "CPila" };
export const ablation: readonly Model[] = formulations.flatMap((formulation) =>
  activations.map((activation) => ({ formulation, activation })),
);

/** The original study's training, or `improvedTraining` of the presets. */
export type Recipe = "original" | "improved";

/** A model on a data set. */
export interface Cell {
  readonly data: string;
  readonly model: Model;
  readonly recipe: Recipe;
}

const isModel = (a: Model, b: Model) => a.formulation === b.formulation && a.activation === b.activation;

/**
 * All models to train, each once: the two that are compared on all data sets, the rest of the ablation, and the two
 * with the better recipe.
 */
export function cellsOf(protocol: Protocol): Cell[] {
  const compared = [iDenseNet, monotoneFlows];
  const others = ablation.filter((model) => !compared.some((other) => isModel(model, other)));
  const cells = (names: readonly string[], models: readonly Model[], recipe: Recipe): Cell[] =>
    names.flatMap((name) => models.map((model) => ({ data: name, model, recipe })));
  return [
    ...cells(protocol.data, compared, "original"),
    ...cells(protocol.ablation, others, "original"),
    ...cells(protocol.improved, compared, "improved"),
  ];
}

export function titleOf(model: Model): string {
  if (isModel(model, iDenseNet)) return "i-DenseNet";
  if (isModel(model, monotoneFlows)) return "Monotone Flow";
  return `${model.formulation}, ${model.activation}`;
}

/** The name of a run's folder. */
export function nameOf({ data, model, recipe }: Cell): string {
  const title = titleOf(model).toLowerCase().replace(/[ ,]+/g, "-");
  return recipe === "original" ? `${data}-${title}` : `${data}-${title}-${recipe}`;
}

/** The schedule of the presets, shortened where there are fewer steps: the concatenation is learned in their second half. */
export function networkOf({ steps }: Protocol) {
  const learnConcatenationFrom = (planar.flow.learnConcatenationFrom * steps) / planar.fullSteps;
  return { ...planar.flow, learnConcatenationFrom };
}

export const trainingOf = (recipe: Recipe, { steps }: Protocol) =>
  recipe === "original" ? planar.training : improvedTraining(steps);

/** Ten networks, whatever the formulation. */
function declarationOf({ formulation, activation }: Model, protocol: Protocol): FlowDeclaration {
  const chain = (kind: "residual" | "monotone") =>
    monotoneFlow({ dim: 2, ...networkOf(protocol), formulation: kind, activation });
  if (formulation !== "inverse residual pair") return chain(formulation);
  const { dim, bijections } = chain("residual");
  const inverse = (b: (typeof bijections)[number], i: number) =>
    i % 2 === 0 || !("network" in b) ? b : { ...b, kind: "inverse-residual" as const };
  return { dim, bijections: bijections.map(inverse) };
}

/** One rank a run: the results then do not depend on how many are trained at a time. */
export function configOf({ data, model, recipe }: Cell, protocol: Protocol, seed: number): RunConfig {
  return {
    format: RUN_FORMAT,
    version,
    preset: titleOf(model),
    data: { kind: "toy", name: data },
    training: { steps: protocol.steps, seed, ...trainingOf(recipe, protocol) },
    threads: 1,
    checkpointEvery: 1_000,
    flow: declarationOf(model, protocol),
  };
}

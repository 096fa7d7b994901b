/**
 * Images (Ahn et al. 2022): {residual, monotone} x {CLipSwish, CPila}, on digits and, where people have them, on MNIST
 * and CIFAR-10. All models of a data set differ in these two alone; all else is that of a preset.
 */
import { holdsImages, whatImagesNeed } from "../../data/images/index.js";
import { check } from "../../errors.js";
import { imageFlow } from "../../flows/image-flow.js";
import { version } from "../../manifest.js";
import { type ResolvedData, resolveData } from "../../presets/data.js";
import { type ImagePreset, imagePresets } from "../../presets/image-presets.js";
import { RUN_FORMAT, type RunConfig } from "../../runs/run.js";
import type { ReproductionOptions } from "../reproduction.js";

export const formulations = ["residual", "monotone"] as const;
export const activations = ["CLipSwish", "CPila"] as const;

export interface Model {
  readonly formulation: (typeof formulations)[number];
  readonly activation: (typeof activations)[number];
}

export const models: readonly Model[] = formulations.flatMap((formulation) =>
  activations.map((activation) => ({ formulation, activation })),
);
export const monotoneFlows: Model = { formulation: "monotone", activation: "CPila" };

/** A data set, and how long its four models are trained. */
export interface ImageTask {
  /** As `--data` calls it. */
  readonly data: "digits" | "mnist" | "cifar10";
  readonly title: string;
  readonly preset: string;
  readonly steps: number;
}

export const digits = { data: "digits", title: "Digits", preset: "digits" } as const;
/** The data sets that do not ship with the package, at a size that a laptop can train overnight. */
const large = [
  { data: "mnist", title: "MNIST", preset: "mnist-small" },
  { data: "cifar10", title: "CIFAR-10", preset: "cifar10-small" },
] as const;

/** Of 600: enough for the models to part. */
const QUICK_STEPS = 150;

export interface Plan {
  readonly tasks: readonly ImageTask[];
  /** Of each data set that is left out: its title, the files it needs, and where people get them. */
  readonly missing: readonly { readonly title: string; readonly needs: string }[];
}

/** Throws an `input` error if `dataDir` does not exist or holds none of the data sets. */
export function planOf({ quick, dataDir, imageSteps }: Omit<ReproductionOptions, "seed">): Plan {
  const here = large.filter(({ data }) => dataDir !== undefined && holdsImages(data, dataDir));
  const missing = large
    .filter((set) => !here.includes(set))
    .map(({ data, title }) => ({ title, needs: whatImagesNeed(data) }));
  check(
    dataDir === undefined || here.length > 0,
    "input",
    `${dataDir} holds neither MNIST nor CIFAR-10. ${missing.map(({ title, needs }) => `${title} needs ${needs}`).join(". ")}`,
  );
  const tasks = [
    { ...digits, steps: quick ? QUICK_STEPS : presetOf(digits).steps },
    ...here.map((set) => ({ ...set, steps: imageSteps ?? presetOf(set).steps })),
  ];
  return { tasks, missing };
}

export const presetOf = ({ preset }: Pick<ImageTask, "preset">): ImagePreset => imagePresets[preset];

/** The images of a task, checked and unpacked. */
export function imagesOf({ data, preset }: ImageTask, dataDir: string | undefined, seed: number) {
  const { flips } = imagePresets[preset];
  return resolveData(data, seed, undefined, { flips, ...(data === "digits" ? {} : { dataDir }) });
}

export function titleOf({ formulation, activation }: Model): string {
  if (formulation === "residual" && activation === "CLipSwish") return "i-DenseNet";
  if (formulation === "monotone" && activation === "CPila") return "Monotone Flow";
  return `${formulation}, ${activation}`;
}

/** The name of a run's folder. */
export const nameOf = ({ data }: Pick<ImageTask, "data">, { formulation, activation }: Model): string =>
  `${data}-${formulation}-${activation.toLowerCase()}`;

/** One rank a run: the results then do not depend on how many are trained at a time. */
export function configOf(task: ImageTask, model: Model, images: ResolvedData, seed: number): RunConfig {
  const { flow, training, checkpointEvery } = presetOf(task);
  check(images.image !== undefined, "internal", `${task.data} are no images`);
  const { shape, levels } = images.image;
  return {
    format: RUN_FORMAT,
    version,
    preset: titleOf(model),
    data: images.config,
    training: {
      ...training,
      schedule: training.schedule?.map((change) => ({ ...change })),
      steps: task.steps,
      seed,
    },
    threads: 1,
    checkpointEvery,
    flow: imageFlow({ ...flow, ...shape, levels, ...model }),
  };
}

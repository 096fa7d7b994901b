/** The models and schedules of images, each as the paper's appendix states it, and small versions of some. */
import type { ImageFlowOptions } from "../flows/image-flow.js";
import type { TrainingOptions } from "../training/trainer.js";

/** All but what the images say themselves. */
type Architecture = Omit<ImageFlowOptions, "channels" | "height" | "width" | "levels">;

export interface ImagePreset {
  readonly description: string;
  /** The data set that it is made for; other images of suitable sizes can be had with it. */
  readonly data: string;
  readonly flow: Architecture;
  readonly training: Omit<TrainingOptions, "seed" | "steps">;
  /** Default number of steps. */
  readonly steps: number;
  /** Whether half of the training images are mirrored. */
  readonly flips: boolean;
  /** Steps between checkpoints. */
  readonly checkpointEvery: number;
}

/** What the image models of Ahn et al. (2022) have in common. */
const published = {
  flow: {
    squeezeFirst: false,
    depth: 3,
    growth: 172,
    connected: { blocks: 4, stem: 64, growth: 32 },
    coeff: 0.98,
    lip: 0.98,
    spectralTolerance: 1e-3,
    learnConcatenationFrom: 25_000,
  },
  training: { batch: 64, learningRate: 1e-3, warmUp: 1_000, clip: 1, averaging: 0.999, l2: 0 },
  flips: false,
  checkpointEvery: 50,
} as const;

const small = {
  flow: {
    ...published.flow,
    squeezeFirst: true,
    connected: { blocks: 2, stem: 64, growth: 32 },
    learnConcatenationFrom: 0,
  },
  training: { ...published.training, warmUp: 100, averaging: 0.99 },
} as const;

export const monotoneImagePresets: Readonly<Record<string, ImagePreset>> = {
  digits: {
    description: "the 8 x 8 digits of the package, in minutes",
    data: "digits",
    flow: { ...small.flow, alpha: 0.05, blocks: [2, 4], growth: 32 },
    training: {
      ...small.training,
      learningRate: 4e-3,
      schedule: [
        { from: 300, factor: 0.3 },
        { from: 425, factor: 0.1 },
      ],
    },
    // 1,500 images are learned by heart before long: after 700 steps test losses begin to rise.
    steps: 500,
    flips: false,
    checkpointEvery: 50,
  },
  "mnist-small": {
    description: "MNIST on a laptop",
    data: "mnist",
    flow: { ...small.flow, alpha: 1e-6, blocks: [4, 4], growth: 32 },
    training: { ...small.training, learningRate: 2e-3 },
    steps: 10_000,
    flips: false,
    checkpointEvery: 50,
  },
  "cifar10-small": {
    description: "CIFAR-10 on a laptop",
    data: "cifar10",
    flow: { ...small.flow, alpha: 0.05, blocks: [4, 4], growth: 64 },
    training: { ...small.training, learningRate: 2e-3 },
    steps: 10_000,
    flips: true,
    checkpointEvery: 20,
  },
  mnist: {
    ...published,
    description: "MNIST as in the paper",
    data: "mnist",
    flow: { ...published.flow, alpha: 1e-6, blocks: [16, 16, 16] },
    steps: 93_800, // 100 epochs
  },
  cifar10: {
    ...published,
    description: "CIFAR-10 as in the paper",
    data: "cifar10",
    flow: { ...published.flow, alpha: 0.05, blocks: [16, 16, 16] },
    flips: true,
    steps: 273_700, // 350 epochs
  },
  imagenet32: {
    ...published,
    description: "ImageNet32 as in the paper",
    data: "imagenet32",
    flow: { ...published.flow, alpha: 0.05, blocks: [32, 32, 32] },
    training: { ...published.training, learningRate: 4e-3 },
    steps: 400_000,
  },
  imagenet64: {
    ...published,
    description: "ImageNet64 as in the paper",
    data: "imagenet64",
    flow: { ...published.flow, alpha: 0.05, blocks: [32, 32, 32] },
    training: { ...published.training, learningRate: 4e-3 },
    steps: 400_000,
  },
};

/** What the baselines have in place of monotone blocks with dense concatenation and CPila. */
const baselines = {
  "i-densenet": { title: "i-DenseNet", flow: { formulation: "residual", activation: "CLipSwish" } },
  "residual-flow": {
    title: "Residual Flow",
    flow: { formulation: "residual", activation: "LipSwish", network: "multilayer" },
  },
} as const;

export const imagePresets: Readonly<Record<string, ImagePreset>> = Object.fromEntries(
  Object.entries(monotoneImagePresets).flatMap(([name, preset]) => [
    [name, { ...preset, description: `Monotone Flow of ${preset.description}` }],
    ...Object.entries(baselines).map(([suffix, { title, flow }]): [string, ImagePreset] => [
      `${name}-${suffix}`,
      { ...preset, description: `${title} of ${preset.description}`, flow: { ...preset.flow, ...flow } },
    ]),
  ]),
);

/** The preset for data of that name. */
export function imagePresetFor(data: string): string {
  if (data === "digits" || data.startsWith("imagenet")) return data;
  return data.endsWith("mnist") ? "mnist-small" : "cifar10-small";
}

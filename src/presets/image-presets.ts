/**
 * The models and schedules of images: at the sizes of the original studies, with what is better known today or exactly
 * as their code has it (`-original`), and small. docs/presets.md sets them side by side and says why what differs does.
 */
import type { ImageFlowOptions } from "../flows/image-flow.js";
import type { TrainingOptions } from "../training/options.js";

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

/** The data sets of the study of Ahn et al. (2022), the batches of its code and the steps that an epoch has there. */
const studied = {
  // Four batches of 64 make a step, also in its 1,000 batches of warm-up.
  mnist: {
    title: "MNIST",
    images: 60_000,
    numbers: 784,
    batch: 256,
    anEpoch: 938 / 4,
    warmUp: 250,
    epochs: 100,
  },
  cifar10: { title: "CIFAR-10", images: 50_000, numbers: 3_072, batch: 64, anEpoch: 782, epochs: 350 },
  imagenet32: {
    title: "ImageNet32",
    images: 1_281_149,
    numbers: 3_072,
    batch: 256,
    anEpoch: 5_005,
    epochs: 20,
  },
  imagenet64: {
    title: "ImageNet64",
    images: 1_281_149,
    numbers: 12_288,
    batch: 256,
    anEpoch: 5_005,
    epochs: 20,
  },
} as const;
type Studied = keyof typeof studied;
export const studiedData = Object.keys(studied) as Studied[];

/** The epochs after which the code stops by itself, and those before its concatenations are learned (not of ImageNet). */
const MOST_EPOCHS = 1_000;
const EPOCHS_OF_EVEN_CONCATENATION = 25;

const isImageNet = (data: Studied) => data.startsWith("imagenet");

/** The chain of both studies. */
function chainOf(data: Studied) {
  return {
    alpha: data === "mnist" ? 1e-6 : 0.05,
    blocks: isImageNet(data) ? [32, 32, 32] : [16, 16, 16],
    squeezeFirst: data === "imagenet64",
    factorOut: data === "imagenet64",
    actnormFirst: true,
    varianceFloor: 0.2,
    coeff: 0.98,
    spectralTolerance: 1e-3,
  };
}

/**
 * Their optimiser: Adam on the loss in bits per dimension, whose gradient is shortened to 1. Ours is that of the loss in
 * nats, so both thresholds are multiplied: `clip` is per dimension already.
 */
const optimiserOf = (data: Studied) => ({
  warmUp: 1_000,
  clip: Math.LN2,
  betas: [0.9, 0.99] as const,
  epsilon: 1e-8 * Math.LN2 * studied[data].numbers,
  averaging: 0.999,
  l2: 0,
});

/** What their code does otherwise than we think best; exact terms are those of training. */
const faithful = (exactTerms: number): Pick<Architecture, "closingStart" | "estimator"> => ({
  closingStart: "uniform",
  estimator: {
    law: "poisson",
    rate: 2,
    exactTerms,
    exactTermsInEvaluation: 20,
    probe: "normal",
    probes: 1,
    tolerance: 1e-6,
  },
});

function monotoneOf(data: Studied): ImagePreset {
  const { title, epochs, batch, anEpoch, ...own } = studied[data];
  return {
    description: title,
    data,
    flow: {
      ...chainOf(data),
      depth: 3,
      growth: 172,
      connected: { blocks: 4, stem: 64, growth: 32 },
      lip: 0.98,
      learnConcatenationFrom: isImageNet(data) ? 0 : Math.floor(EPOCHS_OF_EVEN_CONCATENATION * anEpoch),
    },
    training: {
      ...optimiserOf(data),
      ...("warmUp" in own ? { warmUp: own.warmUp } : {}),
      batch,
      learningRate: isImageNet(data) ? 4e-3 : 1e-3,
    },
    flips: data === "cifar10",
    checkpointEvery: 50,
    steps: epochs * anEpoch,
  };
}

function originalOf(preset: ImagePreset): ImagePreset {
  return {
    ...preset,
    description: `${preset.description}, as the original code has it`,
    flow: {
      ...preset.flow,
      ...faithful(10),
      ...(preset.flow.formulation === "residual" ? {} : { scale: Math.SQRT2 }),
    },
    steps: MOST_EPOCHS * studied[preset.data as Studied].anEpoch,
  };
}

/** As the code of Chen et al. (2019) has it. */
function residualFlowOf(data: Studied): ImagePreset {
  const { title, epochs, images } = studied[data];
  const batch = 64;
  return {
    description: title,
    data,
    flow: {
      ...chainOf(data),
      ...faithful(2),
      ...residualFlow,
      growth: 512,
      connected: { blocks: 4, growth: 128 },
    },
    training: { ...optimiserOf(data), batch, learningRate: 1e-3 },
    flips: data === "cifar10",
    checkpointEvery: 50,
    steps: epochs * Math.ceil(images / batch),
  };
}

/** What the baselines have in place of monotone blocks with dense concatenation and CPila. */
const iDenseNet = { formulation: "residual", activation: "CLipSwish" } as const;
const residualFlow = {
  formulation: "residual",
  activation: "LipSwish",
  network: "multilayer",
  depth: 2,
  kernels: [3, 1, 3],
  preactivation: true,
} as const;

/** What the small sizes have in common. Figures in the documentation were measured with them. */
const small = {
  flow: {
    squeezeFirst: true,
    depth: 3,
    connected: { blocks: 2, stem: 64, growth: 32 },
    coeff: 0.98,
    lip: 0.98,
    spectralTolerance: 1e-3,
    learnConcatenationFrom: 0,
  },
  training: { batch: 64, warmUp: 100, clip: 1, averaging: 0.99, l2: 0 },
} as const;

const smallPresets: Readonly<Record<string, ImagePreset>> = {
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
};

/**
 * Residual Flow's network in a small size: three times as wide as the dense ones grow, as 512 is to 172, and four times in
 * fully connected blocks, as 128 is to 32.
 */
function smallResidualFlow({ growth = 0, connected }: Architecture): Partial<Architecture> {
  const { blocks, growth: added } = connected ?? small.flow.connected;
  return { ...residualFlow, growth: 3 * growth, connected: { blocks, growth: 4 * added } };
}

const withFlow = (preset: ImagePreset, flow: Partial<Architecture>): ImagePreset => ({
  ...preset,
  flow: { ...preset.flow, ...flow },
});

const named = (name: string, title: string, preset: ImagePreset): [string, ImagePreset] => [
  name,
  { ...preset, description: `${title} of ${preset.description}` },
];

/** Sizes of image flows: each is a Monotone Flow's, and has two baselines. */
export const imageSizes = [...Object.keys(smallPresets), ...studiedData];

export const imagePresets: Readonly<Record<string, ImagePreset>> = Object.fromEntries([
  ...Object.entries(smallPresets).flatMap(([name, preset]) => [
    named(name, "Monotone Flow", preset),
    named(`${name}-i-densenet`, "i-DenseNet", withFlow(preset, iDenseNet)),
    named(`${name}-residual-flow`, "Residual Flow", withFlow(preset, smallResidualFlow(preset.flow))),
  ]),
  ...studiedData.flatMap((name) => {
    const preset = monotoneOf(name);
    const baseline = withFlow(preset, iDenseNet);
    return [
      named(name, "Monotone Flow", preset),
      named(`${name}-original`, "Monotone Flow", originalOf(preset)),
      named(`${name}-i-densenet`, "i-DenseNet", baseline),
      named(`${name}-i-densenet-original`, "i-DenseNet", originalOf(baseline)),
      named(`${name}-residual-flow`, "Residual Flow", residualFlowOf(name)),
    ];
  }),
]);

/** The preset for data of that name. */
export function imagePresetFor(data: string): string {
  if (data === "digits" || data.startsWith("imagenet")) return data;
  return data.endsWith("mnist") ? "mnist-small" : "cifar10-small";
}

/**
 * The models and schedules of `train --preset` for 2-D data and tables: those of the original study's 2-D experiment in
 * the formulation and with the start of this package, and exactly as its code has them (`-original`). docs/presets.md sets
 * them side by side and says why what differs does.
 */
import { FlowError, quoted } from "../errors.js";
import type { FlowOptions } from "../flows/monotone-flow.js";
import type { TrainingOptions } from "../training/options.js";

/** A model and how it is trained, for tables and 2-D data. */
export interface Preset {
  /** In words. */
  readonly description: string;
  /** The model but for its dimensions, for `monotoneFlow`. */
  readonly flow: Omit<FlowOptions, "dim">;
  /** How it is trained, but for seed and length. */
  readonly training: Omit<TrainingOptions, "seed" | "steps">;
  /** Steps of the original protocol. */
  readonly fullSteps: number;
  /** Default number of steps, where it is not that of the package. */
  readonly steps?: number;
}

/** 2-D density modelling: 10 blocks, dense concatenation of depth 3 and growth 16, Adam 1e-3, L2 1e-5, batch 500. */
export const planar = {
  flow: {
    blocks: 10,
    depth: 3,
    growth: 16,
    coeff: 0.9,
    lip: 0.98,
    powerIterations: 5,
    learnConcatenationFrom: 25_000,
  },
  training: { batch: 500, learningRate: 1e-3, l2: 1e-5 },
  fullSteps: 50_000,
} as const;

/**
 * Better than the original's constant step size, in as many steps: larger steps first, smaller ones from the middle
 * on, and the average of the last weights as the model.
 */
export function improvedTraining(steps: number) {
  const factors = { 0.5: 0.5, 0.75: 0.2, 0.9: 0.05 };
  return {
    ...planar.training,
    learningRate: 3e-3,
    schedule: Object.entries(factors).map(([part, factor]) => ({
      from: Math.round(Number(part) * steps),
      factor,
    })),
    averaging: 0.99,
  };
}

const ours: Record<string, Preset> = {
  monotone: {
    description: "Monotone Flow: monotone blocks, CPila",
    ...planar,
    flow: { ...planar.flow, formulation: "monotone", activation: "CPila" },
  },
  "i-densenet": {
    description: "i-DenseNet: residual blocks, CLipSwish",
    ...planar,
    flow: { ...planar.flow, formulation: "residual", activation: "CLipSwish" },
  },
};

/** What the original's code does otherwise; it counts steps from 1. */
const original = { closingStart: "uniform", learnConcatenationFrom: 24_999 } as const;

/** All presets for tables and 2-D data, by name; those named `-original` are as the original study's code has them. */
export const presets: Record<string, Preset> = Object.fromEntries([
  ...Object.entries(ours),
  ...Object.entries(ours).map(([name, preset]): [string, Preset] => {
    const scale = preset.flow.formulation === "monotone" ? { scale: Math.SQRT2 } : {};
    return [
      `${name}-original`,
      {
        ...preset,
        description: `${preset.description}, as the original code has it`,
        flow: { ...preset.flow, ...original, ...scale },
        steps: preset.fullSteps,
      },
    ];
  }),
]);

/** That of `train` unless told otherwise. */
export const defaultPreset = "monotone";
/** The default number of steps: a good fit of 2-D data, in well under two minutes on two cores. */
export const defaultSteps = 5_000;

/** The preset of that name; throws a `usage` error that lists the names otherwise. */
export function preset(name: string): Preset {
  const found = Object.hasOwn(presets, name) ? presets[name] : undefined;
  if (!found)
    throw new FlowError(
      "usage",
      `unknown preset ${quoted(name)}; choose one of ${Object.keys(presets).join(", ")}`,
    );
  return found;
}

/** How a flow is trained, apart from what it is and what it learns from. */
import { z } from "zod";
import { option } from "../options.js";
import type { ObjectiveName } from "./objectives.js";
import type { RateChange } from "./schedule.js";

const whole = z.number().int().nonnegative();
const count = z.number().int().positive();
const decay = z.number().nonnegative().lt(1);

export const trainingSchema = z.strictObject({
  // More steps would take centuries.
  steps: option(count.max(1e12), "training steps", { usual: [1, 1_000_000] }),
  batch: option(count.max(1_000_000), "samples a step", { usual: [10, 20_000] }),
  seed: option(whole, "seed of the weights, the samples and the probes", { usual: [0, 2 ** 31] }),
  learningRate: option(z.number().positive(), "Adam's step size, before the schedule's factors", {
    usual: [1e-5, 1e-1],
  }),
  schedule: option(
    z.array(z.strictObject({ from: whole, factor: z.number().positive() })).readonly(),
    "changes of the learning rate, earliest first: from which step on, and to how many times `learningRate`",
    { typescript: "readonly RateChange[]" },
  ).default([]),
  warmUp: option(whole, "steps in which the learning rate grows from 0").default(0),
  clip: option(
    z.number().positive(),
    "the largest norm of the gradient of a step's loss per dimension; longer ones are scaled down",
    { absent: "none" },
  ).optional(),
  l2: option(z.number().nonnegative(), "L2 regularisation: times the parameters, added to their gradients", {
    usual: [0, 1],
  }),
  betas: option(z.tuple([decay, decay]).readonly(), "Adam's decays of the two moments", {
    typescript: "readonly [number, number]",
  }).default([0.9, 0.999]),
  epsilon: option(z.number().positive(), "what Adam adds to the root of the second moment").default(1e-8),
  averaging: option(
    z.number().positive().lt(1),
    "decay of the average of the weights that the trained model gets",
    { absent: "it gets those of the last step" },
  ).optional(),
  objective: option(
    z.enum(["likelihood", "regression"]),
    "what is made small: with `likelihood` -log p(x); with `regression`, where samples are pairs (x, t) of 2 dim numbers, |F(x) - t|^2 / dim",
    { typescript: "ObjectiveName" },
  ).default("likelihood"),
});

/** How a flow is trained, apart from what it is and what it learns from. */
export interface TrainingOptions {
  /** Training steps (1 to 1e12). */
  readonly steps: number;
  /** Samples a step (1 to 1e6). */
  readonly batch: number;
  /** Seed of the weights, the samples and the probes (from 0 on). */
  readonly seed: number;
  /** Adam's step size, before the schedule's factors (above 0). */
  readonly learningRate: number;
  /**
   * Changes of the learning rate, earliest first: from which step on, and to how many times `learningRate` (default:
   * none).
   */
  readonly schedule?: readonly RateChange[] | undefined;
  /** Steps in which the learning rate grows from 0 (from 0 on; default: 0). */
  readonly warmUp?: number | undefined;
  /**
   * The largest norm of the gradient of a step's loss per dimension; longer ones are scaled down (above 0; default:
   * none).
   */
  readonly clip?: number | undefined;
  /** L2 regularisation: times the parameters, added to their gradients (from 0 on). */
  readonly l2: number;
  /** Adam's decays of the two moments (default: 0.9, 0.999). */
  readonly betas?: readonly [number, number] | undefined;
  /** What Adam adds to the root of the second moment (above 0; default: 1e-8). */
  readonly epsilon?: number | undefined;
  /**
   * Decay of the average of the weights that the trained model gets (above 0 and below 1; default: it gets those of the
   * last step).
   */
  readonly averaging?: number | undefined;
  /**
   * What is made small: with `likelihood` -log p(x); with `regression`, where samples are pairs (x, t) of 2 dim
   * numbers, |F(x) - t|^2 / dim (default: likelihood).
   */
  readonly objective?: ObjectiveName | undefined;
}

/** Nothing left out. */
export type Training = z.output<typeof trainingSchema>;

const { steps, batch, seed, learningRate, l2 } = trainingSchema.shape;

/** With defaults for what a preset says otherwise. */
export const fitSchema = trainingSchema.extend({
  steps: steps.default(1000),
  batch: batch.default(500),
  seed: seed.default(0),
  learningRate: learningRate.default(1e-3),
  l2: l2.default(1e-5),
});

/** Training as `fit` takes it. */
export interface FitTraining {
  /** Training steps (1 to 1e12; default: 1000). */
  readonly steps?: number | undefined;
  /** Samples a step (1 to 1e6; default: 500). */
  readonly batch?: number | undefined;
  /** Seed of the weights, the samples and the probes (from 0 on; default: 0). */
  readonly seed?: number | undefined;
  /** Adam's step size, before the schedule's factors (above 0; default: 0.001). */
  readonly learningRate?: number | undefined;
  /**
   * Changes of the learning rate, earliest first: from which step on, and to how many times `learningRate` (default:
   * none).
   */
  readonly schedule?: readonly RateChange[] | undefined;
  /** Steps in which the learning rate grows from 0 (from 0 on; default: 0). */
  readonly warmUp?: number | undefined;
  /**
   * The largest norm of the gradient of a step's loss per dimension; longer ones are scaled down (above 0; default:
   * none).
   */
  readonly clip?: number | undefined;
  /** L2 regularisation: times the parameters, added to their gradients (from 0 on; default: 1e-5). */
  readonly l2?: number | undefined;
  /** Adam's decays of the two moments (default: 0.9, 0.999). */
  readonly betas?: readonly [number, number] | undefined;
  /** What Adam adds to the root of the second moment (above 0; default: 1e-8). */
  readonly epsilon?: number | undefined;
  /**
   * Decay of the average of the weights that the trained model gets (above 0 and below 1; default: it gets those of the
   * last step).
   */
  readonly averaging?: number | undefined;
  /**
   * What is made small: with `likelihood` -log p(x); with `regression`, where samples are pairs (x, t) of 2 dim
   * numbers, |F(x) - t|^2 / dim (default: likelihood).
   */
  readonly objective?: ObjectiveName | undefined;
}

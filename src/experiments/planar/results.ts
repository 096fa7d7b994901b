/** What is known of a trained model: its loss, its distance from the truth, and its size. */
import { toySource } from "../../data/source.js";
import { toyDensity } from "../../data/toy/index.js";
import type { Flow } from "../../flows/flow.js";
import { type Metrics, Run } from "../../runs/run.js";
import { testSamples } from "../../runs/train-run.js";
import { summarise } from "../../training/evaluate.js";
import type { Estimate } from "../estimate.js";
import type { Cell } from "./protocol.js";

export interface Result {
  readonly cell: Cell;
  readonly flow: Flow;
  readonly metrics: readonly Metrics[];
  /** Mean of -log p over the test samples, in nats. */
  readonly loss: Estimate;
  /** Entropy of the data in nats: the least possible loss. */
  readonly entropy: number;
  /** The loss above the entropy. */
  readonly gap: number;
  /**
   * The same distance, from log q(x) - log p(x) at the test samples x of the density q. Both estimate the
   * Kullback-Leibler divergence; here the chance of the test sample drops out, and the error is smaller.
   */
  readonly divergence: Estimate;
  /** log p(x) of the test samples. */
  readonly logProb: Float64Array;
  readonly parameters: number;
}

/** Reads a finished run, and evaluates its model once more, sample by sample. */
export async function resultOf(cell: Cell, path: string): Promise<Result> {
  const run = Run.open(path);
  run.requireTest();
  const flow = await run.loadModel();
  const density = toyDensity(cell.data);
  const test = toySource(cell.data).test(run.config.training.seed, testSamples);
  const logProb = await flow.logProb(test);
  const { loss, standardError } = summarise(logProb);
  const excess = logProb.map((value, i) => value - density.logDensity(test.at(i, 0), test.at(i, 1)));
  return {
    cell,
    flow,
    metrics: run.metrics(),
    loss: { value: loss, standardError },
    entropy: density.entropy,
    gap: loss - density.entropy,
    divergence: difference(excess),
    logProb,
    parameters: flow.parameters.values.length,
  };
}

function difference(logRatios: Float64Array): Estimate {
  const { loss, standardError } = summarise(logRatios);
  return { value: loss, standardError };
}

/** By how much the loss of `lower` is below that of `higher`, and its paired test error. */
export function advantage(lower: Result, higher: Result): Estimate {
  return difference(higher.logProb.map((value, i) => value - lower.logProb[i]));
}

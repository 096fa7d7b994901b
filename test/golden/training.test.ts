/** Training, step by step, against PyTorch: `training.py` says on what, and makes the numbers. */
import { describe, expect, it } from "vitest";
import { type DataSource, toySource } from "../../src/data/source.js";
import { ReferenceEngine } from "../../src/engine/reference/engine.js";
import { Flow } from "../../src/flows/flow.js";
import type { TrainingOptions } from "../../src/training/options.js";
import { Trainer } from "../../src/training/trainer.js";
import { localRanks } from "../support/local-ranks.js";
import { flatten, golden, relativeError } from "./golden.js";

interface Variant {
  name: string;
  options: Partial<TrainingOptions> & { learnFrom?: number };
  losses: number[];
  norms: number[];
  parameters: number[][];
  first: number[][];
  second: number[][];
  averages: number[][];
}

const test = golden("training");
const variants: Variant[] = test.variants;
const steps: number = test.samples.length;
const batch: number = test.samples[0].length;

const source: DataSource = {
  ...toySource("moons"),
  fill: (out, _seed, step, start, count) => out.set(flatten(test.samples[step].slice(start, start + count))),
};

/** A trainer of the affine layer, with what the variant switches on. */
async function start({ learnFrom = 0, ...options }: Variant["options"], communicator = localRanks(1)[0]) {
  const flow = await Flow.create(
    { dim: 2, bijections: [{ kind: "actnorm" }] },
    { engine: new ReferenceEngine(), capacity: 4 },
  );
  const parameter = (name: string) => flow.parameters.list.find((p) => p.name === `bijections.0.${name}`)!;
  for (const name of ["shift", "logScale"]) parameter(name).values.set(test.start[name]);
  parameter("started").values[0] = 1;
  parameter("logScale").learnFrom = learnFrom;
  const plain = { steps, batch, seed: 0, learningRate: test.rate, l2: 0 };
  return new Trainer(flow, source, { ...plain, ...options }, communicator);
}

describe.each(variants)("training takes PyTorch's steps, with $name", ({ options, ...expected }) => {
  it.each([1, 2])("on %i ranks", async (size) => {
    const trainers = await Promise.all(localRanks(size).map((rank) => start(options, rank)));
    for (let step = 0; step < steps; step++) {
      const [{ loss }] = await Promise.all(trainers.map((trainer) => trainer.advance()));
      const { first, second, average } = trainers[0].state();
      const same = (what: string, actual: ArrayLike<number>, golden: number[]) =>
        expect(relativeError(actual, golden), `${what} after step ${step}`).toBeLessThan(1e-12);
      same("the batch's loss", [loss], [expected.losses[step]]);
      same("Adam's mean of gradients (beta 1, L2, clipping)", first, expected.first[step]);
      same("Adam's mean of squares (beta 2)", second, expected.second[step]);
      same(
        "parameters (learning rate, bias correction)",
        trainers[0].flow.parameters.values,
        expected.parameters[step],
      );
      if (options.averaging === undefined) expect(average, "averaged weights").toBeUndefined();
      else same("averaged weights", average ?? [], expected.averages[step]);
    }
  });
});

it("has golden numbers that clip some gradients and not others", () => {
  for (const { options, norms } of variants) {
    if (options.clip === undefined) continue;
    expect(Math.min(...norms)).toBeLessThan(2 * options.clip);
    expect(Math.max(...norms)).toBeGreaterThan(2 * options.clip);
  }
});

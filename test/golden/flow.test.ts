import { describe, expect, it } from "vitest";
import { type DataSource, toySource } from "../../src/data/source.js";
import type { Engine } from "../../src/engine/engine.js";
import { Flow } from "../../src/flows/flow.js";
import { Trainer } from "../../src/training/trainer.js";
import { localRanks } from "../support/local-ranks.js";
import { engines, flatten, golden, relativeError } from "./golden.js";

/** actnorm, monotone, actnorm, monotone, actnorm on 2-D samples. */
const test = golden("flow");
const count: number = test.x.length;
/** Places in the chain. */
const ACTNORMS = [0, 2, 4];
const BLOCKS = [1, 3];

/** Name of each parameter of the flow and its values in the file's layout, of which the gradients are another copy. */
function named(file: typeof test): [string, Parameters<typeof flatten>[0]][] {
  return [
    ...ACTNORMS.flatMap((place, i): [string, number[]][] => [
      [`bijections.${place}.shift`, file.shift[i]],
      [`bijections.${place}.logScale`, file.logScale[i]],
    ]),
    ...BLOCKS.flatMap((place, i): [string, number[]][] => {
      const { weight, bias, concat } = file.blocks[i];
      return [
        ...weight.map((w: number[], l: number) => [`bijections.${place}.weight.${l}`, w]),
        ...bias.map((b: number[], l: number) => [`bijections.${place}.bias.${l}`, b]),
        [`bijections.${place}.concatenation`, concat],
      ];
    }),
  ];
}

async function build(engine: Engine) {
  const { coeff, lipCoeff: lip } = test.blocks[0];
  const { depth, growth, activation } = test;
  const network = { kind: "dense", depth, growth, activation, coeff, lip } as const;
  const monotone = {
    kind: "monotone",
    network: { ...network, powerIterations: 5, learnConcatenationFrom: 0 },
  } as const;
  const actnorm = { kind: "actnorm" } as const;
  const bijections = [actnorm, monotone, actnorm, monotone, actnorm];
  const flow = await Flow.create({ dim: 2, bijections }, { engine, capacity: count });
  const parameter = (name: string) => flow.parameters.list.find((p) => p.name === name)!;
  for (const [name, values] of named(test)) parameter(name).values.set(flatten(values));
  for (const { block } of flow.blocks) await block.iterate(20_000);
  flow.prepare();
  return { flow, parameter };
}

/** The samples of the file, in their order. */
const goldenSamples: DataSource = {
  ...toySource("2spirals"),
  fill: (out, _seed, _step, start, rows) => out.set(flatten(test.x.slice(start, start + rows))),
};
const oneStep = { steps: 1, batch: count, seed: 0, learningRate: 1e-3, l2: 0 };

describe.each(engines)("a flow of two monotone blocks and three actnorms on %s", (_, tolerance, create) => {
  it("has the golden latents, log-determinants and log-densities", async () => {
    const { flow } = await build(await create());
    const { z, logDet } = await flow.forward(test.x);
    expect(relativeError(z.values, test.z)).toBeLessThan(tolerance);
    expect(relativeError(logDet, test.logDet)).toBeLessThan(tolerance);
    expect(relativeError(await flow.logProb(test.x), test.logProb)).toBeLessThan(tolerance);
    const { x } = await flow.inverse(test.z);
    expect(relativeError(x.values, test.x)).toBeLessThan(tolerance);
  });

  it.each([1, 2, 3])("has the golden gradients of the mean of -log p with %i ranks", async (ranks) => {
    const trainers = await Promise.all(
      localRanks(ranks).map(async (communicator) => {
        const { flow, parameter } = await build(await create());
        for (const place of ACTNORMS) parameter(`bijections.${place}.started`).values[0] = 1;
        return new Trainer(flow, goldenSamples, oneStep, communicator);
      }),
    );
    const [{ loss }] = await Promise.all(trainers.map((trainer) => trainer.advance()));
    expect(relativeError([loss], test.nll)).toBeLessThan(tolerance);
    const { flow } = trainers[0];
    const parameter = (name: string) => flow.parameters.list.find((p) => p.name === name)!;
    const expected = named(test.gradient);
    expect(expected.map(([name]) => name).sort()).toEqual(
      flow.parameters.list.flatMap((p) => (p.learned ? [p.name] : [])).sort(),
    );
    for (const [name, gradient] of expected) {
      expect(relativeError(parameter(name).gradient, gradient), name).toBeLessThan(tolerance);
    }
  });
});

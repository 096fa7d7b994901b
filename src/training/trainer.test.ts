import { describe, expect, it } from "vitest";
import { expectClose } from "../../test/support/close.js";
import { localRanks } from "../../test/support/local-ranks.js";
import { staircaseSource } from "../data/staircase.js";
import { alone } from "../engine/communicator.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { monotoneFlow } from "../flows/declaration.js";
import { Flow } from "../flows/flow.js";
import { Trainer, type TrainingOptions } from "./trainer.js";

const regression: TrainingOptions = {
  steps: 4,
  batch: 21,
  seed: 3,
  learningRate: 1e-2,
  schedule: [{ from: 2, factor: 0.5 }],
  l2: 0,
  objective: "regression",
};

async function trainer(options: Partial<TrainingOptions> = {}, communicator = alone): Promise<Trainer> {
  const declaration = monotoneFlow({
    dim: 1,
    blocks: 2,
    depth: 2,
    growth: 8,
    activation: "CReLU",
    actnorm: true,
    learnConcatenationFrom: 0,
  });
  const flow = await Flow.create(declaration, { engine: new ReferenceEngine(), seed: 5, capacity: 8 });
  return new Trainer(flow, staircaseSource, { ...regression, ...options }, communicator);
}

async function advance(trainer: Trainer, steps: number): Promise<number[]> {
  const losses = [];
  for (let n = 0; n < steps; n++) losses.push((await trainer.advance()).loss);
  return losses;
}

describe("regression", () => {
  it("takes the same steps on any number of ranks", async () => {
    const single = await trainer();
    const losses = await advance(single, 4);
    const several = await Promise.all(localRanks(3).map((communicator) => trainer({}, communicator)));
    for (const rankLosses of await Promise.all(several.map((rank) => advance(rank, 4)))) {
      expectClose(rankLosses, losses, 1e-10);
    }
    for (const { flow } of several) {
      expectClose(flow.parameters.values, single.flow.parameters.values, 1e-8);
    }
  });

  it("takes rank 0's learning rate between steps, on all ranks, as a schedule would", async () => {
    const scheduled = await trainer({ schedule: [{ from: 2, factor: 0.25 }] });
    const losses = await advance(scheduled, 4);
    const ranks = await Promise.all(
      localRanks(2).map((communicator) => trainer({ schedule: [] }, communicator)),
    );
    await Promise.all(ranks.map((rank) => advance(rank, 2)));
    ranks[0].learningRate *= 0.25;
    for (const rankLosses of await Promise.all(ranks.map((rank) => advance(rank, 2)))) {
      expectClose(rankLosses, losses.slice(2), 1e-10);
    }
    for (const { flow } of ranks) expectClose(flow.parameters.values, scheduled.flow.parameters.values, 1e-8);
  });

  it("goes on from a saved state bit for bit", async () => {
    const unbroken = await trainer();
    const losses = await advance(unbroken, 4);
    const first = await trainer();
    await advance(first, 2);
    const second = await trainer();
    second.restore(first.state());
    expect(await advance(second, 2)).toEqual(losses.slice(2));
    expect(second.flow.parameters.values).toEqual(unbroken.flow.parameters.values);
  });

  it("changes its learning rate on schedule", async () => {
    const [scheduled, constant] = [await trainer(), await trainer({ schedule: undefined })];
    // The loss of a step is that before its update: the change of step 2 shows in step 3.
    const [a, b] = [await advance(scheduled, 4), await advance(constant, 4)];
    expect(a.slice(0, 3)).toEqual(b.slice(0, 3));
    expect(a[3]).not.toBe(b[3]);
  });

  it("starts its actnorms from the inputs alone", async () => {
    // A step too small to change anything: only the start is left.
    const fresh = await trainer({ learningRate: Number.MIN_VALUE });
    await advance(fresh, 1);
    fresh.flow.prepare();
    const { batch, seed } = regression;
    const samples = new Float64Array(2 * batch);
    staircaseSource.fill(samples, seed, 0, 0, batch);
    const { z } = await fresh.flow.forward(Array.from({ length: batch }, (_, i) => [samples[2 * i]]));
    const mean = z.values.reduce((sum, value) => sum + value, 0) / z.rows;
    const variance = z.values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / z.rows;
    expect(mean).toBeCloseTo(0, 6);
    expect(variance).toBeCloseTo(1, 4);
  });
});

it("refuses a source whose samples do not fit the objective", async () => {
  await expect(trainer({ objective: "likelihood" })).rejects.toThrow(
    /samples of 1 number, those of staircase have 2/,
  );
});

import { describe, expect, it, vi } from "vitest";
import { expectClose } from "../../test/support/close.js";
import { localRanks } from "../../test/support/local-ranks.js";
import { randomise } from "../../test/support/networks.js";
import { testRandom } from "../../test/support/rows.js";
import type { DataSource } from "../data/source.js";
import { staircaseSource } from "../data/staircase.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { Flow } from "../flows/flow.js";
import { imageFlow } from "../flows/image-flow.js";
import { monotoneFlow } from "../flows/monotone-flow.js";
import type { PassKey } from "../logdet/probes.js";
import { alone } from "../ranks/communicator.js";
import { Table } from "../table.js";
// Named otherwise: linters take `fit` for a test that shuts out the others.
import { fit as fitFlow } from "./fit.js";
import type { TrainingOptions } from "./options.js";
import { Trainer } from "./trainer.js";

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

/** A source that always gives the same two images by turns, and remembers what it was asked for. */
function constantImages(asked: { step: number; start: number; count: number }[] = []): DataSource {
  return {
    name: "constant",
    dim: 4,
    entropy: null,
    columns: ["a", "b", "c", "d"],
    density: null,
    image: { shape: { channels: 1, height: 2, width: 2 }, levels: 5 },
    fill(out, _seed, step, start, count) {
      asked.push({ step, start, count });
      for (let i = 0; i < count; i++) {
        const pixels = (start + i) % 2 === 0 ? [0.5, 1.5, 2.5, 4.5] : [3.5, 0.5, 1.5, 1.5];
        out.set(pixels, 4 * i);
      }
    },
    test: (_, count) => new Table(count, 4),
  };
}

/** Training of images that learns next to nothing: what changes from step to step is the chance in it. */
async function imageTrainer(noise: "uniform" | "variational", asked?: Parameters<typeof constantImages>[0]) {
  const declaration = imageFlow({
    channels: 1,
    height: 2,
    width: 2,
    levels: 5,
    blocks: [1],
    growth: 2,
    depth: 1,
    connected: { blocks: 0, stem: 1, growth: 2 },
    dequantization: noise,
    // One term for certain: estimates of the same rows differ by their probes.
    estimator: { exactTerms: 1, tolerance: 1e-10 },
  });
  const flow = await Flow.create(declaration, { engine: new ReferenceEngine(), seed: 5, capacity: 4 });
  randomise(flow.parameters, testRandom(6), 2);
  await flow.convergeNorms();
  const options = { steps: 9, batch: 6, seed: 3, learningRate: Number.MIN_VALUE, l2: 0 };
  return new Trainer(flow, constantImages(asked), options, alone);
}

describe("every step of training", () => {
  it("draws the samples of its own number, all of them once", async () => {
    const asked: { step: number; start: number; count: number }[] = [];
    const training = await imageTrainer("uniform", asked);
    await training.advance();
    asked.length = 0; // The first step starts actnorms, too.
    for (let step = 1; step < 4; step++) await training.advance();
    expect(asked).toEqual([1, 2, 3].map((step) => ({ step, start: 0, count: 6 })));
  });

  it("has probes of its own", async () => {
    const training = await imageTrainer("uniform");
    const losses = await advance(training, 4);
    expect(new Set(losses).size, "different losses of 4 steps on the same images").toBe(4);
  });

  it("has learned noise of its own, and so has every sample, in every pass", async () => {
    const training = await imageTrainer("variational");
    const [step] = training.flow.preprocessing;
    const forward = step.forward.bind(step);
    let passes: { pass: PassKey; count: number; noisy: Float64Array }[] = [];
    vi.spyOn(step, "forward").mockImplementation(async (rows, pass) => {
      await forward(rows, pass);
      // The logit works in place.
      passes.push({ pass, count: rows.count, noisy: rows.values.slice() });
    });
    const noise = async (step: number) => {
      passes = [];
      await training.advance();
      const rows: string[] = [];
      for (const { pass, count, noisy } of passes.slice(-2)) {
        expect(pass, "the key of the noise").toMatchObject({ seed: 3, step });
        for (let i = 0; i < count; i++) {
          rows.push(Array.from(noisy.subarray(4 * i, 4 * i + 4), (x: number) => (x % 1).toFixed(3)).join());
        }
      }
      return rows;
    };
    const rows = [...(await noise(0)), ...(await noise(1)), ...(await noise(2))];
    expect(rows.length).toBe(18);
    expect(new Set(rows).size, "different noises of 3 steps of 6 images").toBe(18);
  });

  it("leaves the concatenation alone until it is learned", async () => {
    const declaration = monotoneFlow({ dim: 1, blocks: 1, depth: 2, growth: 4, learnConcatenationFrom: 3 });
    const flow = await Flow.create(declaration, { engine: new ReferenceEngine(), seed: 5 });
    const training = new Trainer(flow, staircaseSource, regression, alone);
    const factors = flow.parameters.list.find(({ name }) => name.includes("concatenation"))!;
    const before = factors.values.slice();
    await advance(training, 3);
    expect(factors.values, "after three steps, none of which learns it").toEqual(before);
    expect(factors.gradient.some((g) => g !== 0)).toBe(true);
    await advance(training, 1);
    for (const [i, value] of factors.values.entries()) {
      // Adam's first step is as long as the learning rate, which is half of it by then.
      expect(Math.abs(value - before[i]), "after the first step that learns it").toBeCloseTo(0.005, 5);
    }
  });
});

/** Weights of a network far beyond their limits, as a long step could leave them. */
function blowUp(flow: Flow): void {
  const random = testRandom(8);
  for (const { name, values } of flow.parameters.list) {
    if (name.includes("weight")) values.set(values.map(() => 3 * random.normal()));
  }
}

/** How far the norms that power iteration has found of a flow's weights are from the norms themselves. */
async function behind(flow: Flow): Promise<number> {
  const norms = () => flow.blocks.flatMap(({ block }) => block.network.spectralNorms());
  const found = norms();
  await flow.iterate(2000);
  return Math.max(...norms().map((norm, i) => Math.abs(1 - found[i] / norm)));
}

describe("the trained model", () => {
  it("has weights at their limits, whatever the last steps did", async () => {
    const [stale, finished] = [await trainer(), await trainer()];
    for (const training of [stale, finished]) {
      await advance(training, 1);
      blowUp(training.flow);
    }
    expect(await behind(stale.flow), "power iterations of the last step").toBeGreaterThan(0.1);
    await finished.finish();
    expect(await behind(finished.flow), "power iterations of the trained model").toBeLessThan(1e-3);
  });

  it("is that of a fit, too", async () => {
    const flow = await Flow.create(monotoneFlow({ dim: 1, blocks: 1, depth: 2, growth: 8 }), {
      engine: new ReferenceEngine(),
    });
    await fitFlow(flow, staircaseSource, {
      objective: "regression",
      steps: 1,
      batch: 8,
      onStep: () => blowUp(flow),
    });
    expect(await behind(flow), "power iterations of the fitted model").toBeLessThan(1e-3);
  });
});

describe("steps that fail", () => {
  const failing = (place: number): DataSource => ({
    ...staircaseSource,
    fill(out, ...rest) {
      staircaseSource.fill(out, ...rest);
      out[place] = Number.NaN;
    },
  });

  it.each([
    ["an input", 4, "block 1 (monotone)"],
    ["a target", 5, "block 4 (actnorm)"],
  ])("for %s that is not a number are refused, and change no parameter", async (_, place, where) => {
    const good = await trainer();
    await advance(good, 2);
    const bad = new Trainer(good.flow, failing(place), regression, alone);
    bad.restore(good.state());
    const before = good.flow.parameters.values.slice();
    await expect(bad.advance()).rejects.toThrow(`the loss became NaN at step 3, in ${where}`);
    expect(good.flow.parameters.values).toEqual(before);
    expect(bad.step).toBe(2);
  });

  it("for a gradient are refused, naming its block", async () => {
    const training = await trainer();
    const { gradients, parameters } = training.flow;
    const pullBack = gradients.pullBack.bind(gradients);
    gradients.pullBack = (sums) => {
      pullBack(sums);
      const { gradient } = parameters.list.find(({ name }) => name === "bijections.2.weight.1")!;
      gradient[gradient.length - 1] = Number.POSITIVE_INFINITY;
    };
    await expect(training.advance()).rejects.toThrow(
      "a gradient is no longer finite at step 1, in block 3 (monotone)",
    );
  });
});

describe("the pieces of a batch", () => {
  const pieces = async (batch: number, size: number, growth = 8) => {
    const declaration = monotoneFlow({ dim: 1, blocks: 1, depth: 2, growth });
    const flow = await Flow.create(declaration, { engine: new ReferenceEngine(), capacity: 8 });
    return new Trainer(flow, staircaseSource, { ...regression, batch }, { ...alone, size }).sums;
  };

  it("are as many for every rank, none larger than a pass, but never more than eight a rank or than samples", async () => {
    for (const [batch, ranks, expected] of [
      [1000, 1, 1],
      [3, 4, 3],
      [8, 2, 2],
      [32, 2, 4],
      [33, 2, 6],
      [128, 2, 16],
      [1000, 2, 16],
    ]) {
      expect([batch, ranks, (await pieces(batch, ranks)).pieces]).toEqual([batch, ranks, expected]);
    }
  });

  it("are fewer where what they give would take too much memory", async () => {
    const { pieces: count, pieceLength } = await pieces(1e5, 2000, 32);
    expect(count).toBe(2000 * Math.floor(4e6 / pieceLength / 2000));
    expect(count).toBeLessThan(2000 * 7);
    expect((await pieces(1e5, 20_000, 32)).pieces).toBe(20_000);
  });
});

it("tells the loss of a step, the evaluations of a solve, and the samples that did not converge", async () => {
  const training = await trainer();
  await advance(training, 1);
  const { chain } = training.flow;
  for (const { block } of training.flow.blocks) {
    const forward = block.forward.bind(block);
    block.forward = async (...args) => {
      await forward(...args);
      block.counts.unconverged += 2;
    };
  }
  const result = await training.advance();
  const sum = (of: "evaluations" | "solves" | "unconverged") =>
    chain.bijections.reduce((total, { counts }) => total + (counts?.[of] ?? 0), 0);
  // Two blocks in the three passes of 21 samples.
  expect(sum("solves")).toBeGreaterThanOrEqual(6);
  expect(result.evaluations).toBe(sum("evaluations") / sum("solves"));
  expect(result.evaluations).toBeGreaterThan(1);
  expect(result.unconverged).toBe(12);
});

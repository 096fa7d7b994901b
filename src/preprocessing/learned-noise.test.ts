import { afterEach, describe, expect, it, vi } from "vitest";
import { expectClose } from "../../test/support/close.js";
import { expectGradients } from "../../test/support/finite-differences.js";
import { farFromIdentity } from "../../test/support/flows.js";
import { localRanks } from "../../test/support/local-ranks.js";
import { testRandom } from "../../test/support/rows.js";
import type { ImageSet } from "../data/images/image-set.js";
import { noisyImages } from "../data/images/noisy-images.js";
import type { Engine } from "../engine/engine.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { WasmEngine } from "../engine/wasm/engine.js";
import type { FlowDeclaration } from "../flows/declaration.js";
import { Flow } from "../flows/flow.js";
import { imageFlow } from "../flows/image-flow.js";
import { FRESH, type PassKey } from "../logdet/probes.js";
import { collectGradient } from "../model/gradients.js";
import { Random } from "../model/random.js";
import type { NetworkDeclaration } from "../networks/declaration.js";
import { alone } from "../ranks/communicator.js";
import { Table } from "../table.js";
import { objective } from "../training/objectives.js";
import type { TrainingOptions } from "../training/options.js";
import { Trainer } from "../training/trainer.js";
import { Rows } from "./preprocessing.js";

afterEach(() => vi.restoreAllMocks());

const NETWORK: NetworkDeclaration = {
  kind: "dense",
  depth: 1,
  growth: 2,
  activation: "CLipSwish",
  coeff: 0.9,
  lip: 0.9,
  powerIterations: 200,
  spectralTolerance: 1e-14,
  learnConcatenationFrom: 0,
};
const MONOTONE: FlowDeclaration["bijections"] = [
  { kind: "flatten" },
  { kind: "monotone", network: { ...NETWORK, depth: 2, growth: 4 } },
];

/** A flow of images of this size. */
const declaration = (
  height: number,
  width: number,
  bijections: FlowDeclaration["bijections"] = MONOTONE,
  channels = 1,
): FlowDeclaration => ({
  dim: channels * height * width,
  image: { channels, height, width, levels: 5, alpha: 0.05 },
  dequantization: { kind: "variational", network: { ...NETWORK, kernel: 3 } },
  bijections,
});

const PIXELS = Float64Array.from([0.5, 1.2, 2.7, 4.9, 3.1, 0.2, 4.4, 1.6, 2, 2, 1, 0]);

async function randomFlow(
  declared: FlowDeclaration,
  { engine = new ReferenceEngine() as Engine, capacity = 2, scale = 1 } = {},
): Promise<Flow> {
  const flow = await Flow.create(declared, { engine, capacity });
  return farFromIdentity(flow, testRandom(71), { weights: scale, actnorms: 0.5 });
}

it.each([
  ["an odd number of bijections", declaration(2, 2, [{ kind: "actnorm" }])],
  [
    "an even number of bijections",
    declaration(2, 2, [{ kind: "actnorm" }, ...MONOTONE, { kind: "actnorm" }]),
  ],
  ["two channels", declaration(1, 2, MONOTONE, 2)],
])("has the gradients of finite differences, in front of %s", async (_, declared) => {
  const flow = await randomFlow(declared);
  const bound = objective("likelihood", flow);
  const key = { seed: 3, step: 5, first: 7, training: true };
  const samples = PIXELS.subarray(0, 8);
  const loss = async () => {
    flow.prepare();
    await bound.write(samples, 2, key);
    return await bound.pass(samples, 2, 1, key);
  };
  flow.parameters.gradient.fill(0);
  await loss();
  await collectGradient(flow.gradients);
  const own = flow.parameters.list.map((p) => ({ ...p, gradient: p.gradient.slice() }));
  await expectGradients(own, loss, 1e-6);
});

it("draws by the numbers of the rows, and of whole pixels alone", async () => {
  const flow = await randomFlow(declaration(2, 2));
  const x = new Table(3, 4, PIXELS);
  const all = await flow.logProb(x, { seed: 4 });
  expectClose(await flow.logProb(x.slice(1), { seed: 4, first: 1 }), all.slice(1), 1e-12);
  expect(await flow.logProb(new Table(3, 4, PIXELS.map(Math.floor)), { seed: 4 })).toEqual(all);
  expect(await flow.logProb(x, { seed: 5 })).not.toEqual(all);
});

/** Images with the noise that the flow draws for them. */
async function noise(flow: Flow, images: ArrayLike<number>, count: number, pass: Partial<PassKey> = {}) {
  const rows = new Rows(images, count, flow.dim);
  await flow.preprocessing[0].forward(rows, { ...FRESH, ...pass });
  return rows;
}

it("draws other noise for another step, seed and image", async () => {
  const flow = await randomFlow(declaration(2, 2));
  const image = PIXELS.subarray(0, 4);
  const draw = async (key: Partial<PassKey>) =>
    (await noise(flow, image, 1, { seed: 4, step: 1, first: 2, ...key })).values;
  const own = await draw({});
  expect(await draw({})).toEqual(own);
  for (const key of [{ seed: 5 }, { step: 2 }, { first: 3 }]) {
    expect(await draw(key), JSON.stringify(key)).not.toEqual(own);
  }
});

/** Standard normal deviates that cover the cube of noise up to about 1e-5 at each end. */
const deviates = (count: number) => Array.from({ length: count }, (_, i) => 8 * ((2 * i) / (count - 1) - 1));

/** u and log q(u | image) where these are the deviates of the draws: for each row, a number for each pixel. */
async function drawn(flow: Flow, image: readonly number[], rows: readonly (readonly number[])[]) {
  const next = rows.flat().values();
  vi.spyOn(Random.prototype, "normal").mockImplementation(() => next.next().value as number);
  const images = rows.flatMap(() => image);
  const { values, term } = await noise(flow, images, rows.length);
  vi.restoreAllMocks();
  return { u: values.map((x, i) => x - images[i]), logDensity: term.map((l) => -l) };
}

/** Weights of the trapezoidal rule on these points. */
const weights = (points: ArrayLike<number>) =>
  Array.from(points, (x, i) => ((points[i + 1] ?? x) - (points[i - 1] ?? x)) / 2);

describe("the density of the noise", () => {
  it.each([0, 2, 4])("integrates to 1 over the cube of a pixel of %d", async (pixel) => {
    const flow = await randomFlow(declaration(1, 1), { capacity: 2001, scale: 4 });
    const { u, logDensity } = await drawn(
      flow,
      [pixel],
      deviates(2001).map((e) => [e]),
    );
    const total = weights(u).reduce((sum, w, i) => sum + w * Math.exp(logDensity[i]), 0);
    expect(total).toBeCloseTo(1, 4);
  });

  it("integrates to 1 over the cube of two pixels, and depends on both", async () => {
    const side = deviates(161);
    const flow = await randomFlow(declaration(1, 2), { capacity: side.length ** 2, scale: 4 });
    const pairs = side.flatMap((a) => side.map((b) => [a, b]));
    const densities = [];
    for (const image of [
      [1, 3],
      [1, 0],
    ]) {
      const { u, logDensity } = await drawn(flow, image, pairs);
      const [first, second] = [0, 1].map((pixel) =>
        weights(side.map((_, i) => u[2 * (pixel === 0 ? i * side.length : i) + pixel])),
      );
      let total = 0;
      for (const [i, a] of first.entries()) {
        for (const [j, b] of second.entries()) total += a * b * Math.exp(logDensity[i * side.length + j]);
      }
      expect(total).toBeCloseTo(1, 2);
      densities.push(u[0]);
    }
    expect(Math.abs(densities[0] - densities[1])).toBeGreaterThan(1e-7);
  });

  // Kolmogorov and Smirnov's test at a false-alarm rate of 0.001; the seed is fixed.
  it("is that of the draws", async () => {
    const count = 4000;
    const flow = await randomFlow(declaration(1, 1), { capacity: count, scale: 4 });
    const { u, logDensity } = await drawn(
      flow,
      [3],
      deviates(2001).map((e) => [e]),
    );
    const masses = weights(u).map((w, i) => w * Math.exp(logDensity[i]));
    const images = new Float64Array(count).fill(3);
    const { values } = await noise(flow, images, count, { seed: 9 });
    const draws = values.map((x) => x - 3).sort();
    let below = 0;
    let passed = 0;
    let worst = 0;
    for (const [i, x] of u.entries()) {
      while (draws[passed] <= x) passed++;
      worst = Math.max(worst, Math.abs(passed / count - (below + masses[i] / 2)));
      below += masses[i];
    }
    expect(worst).toBeLessThan(1.95 / Math.sqrt(count));
  });
});

// Means of so many draws, at 4 standard errors: a false alarm in 16,000, and the seed is fixed.
it("bounds the log-probability of an image, and is exact in the mean of the ratios", async () => {
  const draws = 4000;
  const image = [1, 3];
  const declared = declaration(1, 2, [...MONOTONE, { kind: "actnorm" }]);
  const noisy = await randomFlow(declared, { capacity: 500, scale: 4 });
  const { dequantization: _, ...rest } = declared;
  const plain = await Flow.create(rest, { engine: new ReferenceEngine(), capacity: 500 });
  const own = new Map(noisy.parameters.list.map(({ name, values }) => [name, values]));
  for (const { name, values } of plain.parameters.list) values.set(own.get(name)!);
  plain.prepare();

  const side = 60;
  const cube = Array.from({ length: side * side }, (_, i) => [
    image[0] + ((i % side) + 0.5) / side,
    image[1] + (Math.floor(i / side) + 0.5) / side,
  ]);
  const inside = await plain.logProb(cube);
  const logProb = Math.log(inside.reduce((sum, l) => sum + Math.exp(l), 0) / cube.length);

  const bounds = await noisy.logProb(
    Array.from({ length: draws }, () => image),
    { seed: 6 },
  );
  const mean = bounds.reduce((sum, b) => sum + b, 0) / draws;
  const error = Math.sqrt(bounds.reduce((sum, b) => sum + (b - mean) ** 2, 0)) / draws;
  expect(mean + 4 * error).toBeLessThan(logProb);

  const ratios = bounds.map((b) => Math.exp(b - logProb));
  const ratio = ratios.reduce((sum, r) => sum + r, 0) / draws;
  const ratioError = Math.sqrt(ratios.reduce((sum, r) => sum + (r - ratio) ** 2, 0)) / draws;
  expect(ratioError).toBeLessThan(0.02);
  expect(Math.abs(ratio - 1)).toBeLessThan(4 * ratioError);
});

it("has the same densities and gradients on both engines", async () => {
  const declared = imageFlow({
    channels: 2,
    height: 4,
    width: 4,
    levels: 17,
    blocks: [1, 1],
    growth: 4,
    depth: 2,
    connected: { blocks: 1, stem: 5, growth: 4 },
    dequantization: "variational",
    estimator: { tolerance: 1e-6 },
  });
  const count = 3;
  const random = testRandom(72);
  const images = new Table(
    count,
    32,
    Float64Array.from({ length: 32 * count }, () => 17 * random.uniform()),
  );
  const key = { seed: 3, step: 1, first: 0, training: true };
  const reference = await randomFlow(declared, { capacity: 4, scale: 1.5 });
  const wasm = await Flow.create(declared, { engine: await WasmEngine.create(), capacity: 4 });
  wasm.parameters.load(
    new Map(reference.parameters.list.map(({ name, values }) => [name, values])),
    "the reference",
  );
  const results = [];
  for (const flow of [reference, wasm]) {
    flow.prepare();
    const logProb = await flow.logProb(images, { seed: 2 });
    const bound = objective("likelihood", flow);
    flow.parameters.gradient.fill(0);
    await bound.write(images.values, count, key);
    await bound.pass(images.values, count, 1, key);
    await collectGradient(flow.gradients);
    results.push({ logProb, list: flow.parameters.list });
  }
  const [expected, actual] = results;
  expectClose(actual.logProb, expected.logProb, 2e-4);
  let noise = 0;
  for (const [i, { name, learned, gradient }] of expected.list.entries()) {
    if (!learned) continue;
    expectClose(actual.list[i].gradient, gradient, 2e-4, `gradient of ${name}`, 1);
    if (name.startsWith("dequantizer.")) noise = Math.max(noise, ...gradient.map(Math.abs));
  }
  expect(noise).toBeGreaterThan(0.1);
});

it("is trained to the same parameters on any number of ranks", async () => {
  const shape = { channels: 1, height: 2, width: 2 };
  const set: ImageSet = {
    shape,
    levels: 5,
    count: 50,
    read: (index, out) => out.set([index % 5, (index >> 1) % 5, (index * index) % 5, (index >> 2) % 5]),
  };
  const source = noisyImages({ name: "test", train: set, test: set, close() {} });
  const options: TrainingOptions = { steps: 4, batch: 7, seed: 3, learningRate: 1e-2, l2: 0 };
  const declared = declaration(2, 2, [{ kind: "actnorm" }, ...MONOTONE]);
  const start = async (communicator = alone) =>
    new Trainer(await randomFlow(declared), source, options, communicator);
  const advance = async (trainer: Trainer) => {
    const losses = [];
    while (trainer.step < options.steps) losses.push((await trainer.advance()).loss);
    return losses;
  };
  const single = await start();
  const before = new Map(single.flow.parameters.list.map(({ name, values }) => [name, values.slice()]));
  const losses = await advance(single);
  const ranks = await Promise.all(localRanks(2).map(start));
  for (const rankLosses of await Promise.all(ranks.map(advance))) expectClose(rankLosses, losses, 1e-10);
  for (const { flow } of ranks) expectClose(flow.parameters.values, single.flow.parameters.values, 1e-8);
  for (const { name, values } of single.flow.parameters.list) {
    if (/^dequantizer.*(weight|bias)/.test(name)) expect(values, name).not.toEqual(before.get(name));
  }
});

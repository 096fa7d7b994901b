import { describe, expect, it } from "vitest";
import { expectClose } from "../../test/support/close.js";
import { farFromIdentity } from "../../test/support/flows.js";
import { testRandom } from "../../test/support/rows.js";
import type { Engine } from "../engine/engine.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { WasmEngine } from "../engine/wasm/engine.js";
import { factorise } from "../linear-algebra.js";
import { ROULETTE_TOLERANCE } from "../logdet/bounded-roulette.js";
import { FRESH } from "../logdet/probes.js";
import { Table } from "../table.js";
import { Flow } from "./flow.js";
import { type ImageFlowOptions, imageFlow, stochastic } from "./image-flow.js";

const TINY: ImageFlowOptions = {
  channels: 1,
  height: 4,
  width: 4,
  levels: 17,
  blocks: [1, 1],
  growth: 4,
  depth: 2,
  connected: { blocks: 1, stem: 5, growth: 4 },
  estimator: { tolerance: 1e-12, exactTermsInEvaluation: 60 },
};

/** A flow far from the identity. */
async function randomFlow(options: ImageFlowOptions, engine: Engine = new ReferenceEngine(), capacity = 4) {
  const flow = await Flow.create(imageFlow(options), { engine, capacity });
  return farFromIdentity(flow, testRandom(41), { weights: 1.5 });
}

/** Pixels with noise, row-major. */
function pixels(count: number, dim: number, levels: number): Table {
  const random = testRandom(42);
  return new Table(
    count,
    dim,
    Float64Array.from({ length: count * dim }, () => levels * random.uniform()),
  );
}

describe.each([
  ["of two scales", TINY],
  ["that factors out", { ...TINY, factorOut: true }],
  ["of colours, not squeezed first", { ...TINY, channels: 2, height: 2, squeezeFirst: false }],
  ["of residual blocks", { ...TINY, formulation: "residual" }],
  [
    "of Residual Flow's networks",
    {
      ...TINY,
      formulation: "residual",
      network: "multilayer",
      activation: "LipSwish",
      kernels: [3, 1, 3],
      preactivation: true,
      actnormFirst: true,
      connected: { blocks: 1, growth: 4 },
    },
  ],
  ["of scaled blocks, with an actnorm first", { ...TINY, scale: Math.SQRT2, actnormFirst: true }],
] as [string, ImageFlowOptions][])("a flow %s", (_, options) => {
  it("has the log-determinant of its numerical Jacobian, start included", async () => {
    const flow = await randomFlow(options);
    const { dim } = flow;
    const x = pixels(2, dim, 17);
    const { logDet } = await flow.forward(x, { exact: true });
    const STEP = 1e-5;
    for (let i = 0; i < x.rows; i++) {
      const probes = new Table(2 * dim, dim);
      for (let j = 0; j < 2 * dim; j++) {
        probes.values.set(x.row(i), j * dim);
        probes.values[j * dim + (j >> 1)] += j % 2 === 0 ? STEP : -STEP;
      }
      const { z } = await flow.forward(probes, { logDet: false });
      const jacobian = new Float64Array(dim * dim);
      for (let j = 0; j < dim; j++) {
        for (let k = 0; k < dim; k++) {
          jacobian[k * dim + j] = (z.at(2 * j, k) - z.at(2 * j + 1, k)) / (2 * STEP);
        }
      }
      // A squeeze may turn the determinant's sign, so elimination pivots by itself: J^T J has none.
      const gram = new Float64Array(dim * dim);
      for (let a = 0; a < dim; a++) {
        for (let b = 0; b < dim; b++) {
          for (let k = 0; k < dim; k++) gram[a * dim + b] += jacobian[k * dim + a] * jacobian[k * dim + b];
        }
      }
      expect(logDet[i]).toBeCloseTo(factorise(gram).logDet / 2, 4);
    }
  });

  it("estimates it, each row by its own number", async () => {
    const flow = await randomFlow(options);
    const x = pixels(6, flow.dim, 17);
    const exact = await flow.logProb(x, { exact: true });
    const estimate = await flow.logProb(x);
    estimate.forEach((value, i) => {
      expect(Math.abs(value - exact[i])).toBeGreaterThan(1e-9);
      expect(Math.abs(value - exact[i])).toBeLessThan(0.5 * flow.dim);
    });
    expectClose(await flow.logProb(x.slice(4), { first: 4 }), estimate.slice(4), 1e-12);
    expect(await flow.logProb(x.slice(4))).not.toEqual(estimate.slice(4));
  });

  it("goes there and back", async () => {
    const engine = await WasmEngine.create();
    const flow = await randomFlow({ ...options, estimator: { tolerance: 1e-6 } }, engine);
    const x = pixels(6, flow.dim, 17);
    const { z } = await flow.forward(x, { logDet: false });
    const { x: back } = await flow.inverse(z, { logDet: false });
    expectClose(back.values, x.values, 1e-4, "pixels", 17);
    const there = await flow.forward(x, { exact: true });
    const return_ = await flow.inverse(there.z, { exact: true });
    expectClose(
      return_.logDet.map((l) => -l),
      there.logDet,
      1e-4,
    );
  });
});

it("places actnorms and pre-activations as Residual Flow does, and hands its options on", () => {
  const { bijections } = imageFlow({
    ...TINY,
    blocks: [2, 1],
    formulation: "monotone",
    network: "multilayer",
    kernels: [3, 1, 3],
    preactivation: true,
    actnormFirst: true,
    varianceFloor: 0.2,
    scale: 1.5,
    closingStart: "uniform",
    connected: { blocks: 1, growth: 4 },
  });
  expect(bijections.map(({ kind }) => kind).join(" ")).toBe(
    "squeeze actnorm monotone actnorm monotone actnorm squeeze monotone actnorm flatten monotone actnorm",
  );
  const networks = bijections.flatMap((b) => ("network" in b ? [b.network] : []));
  expect(networks.map(({ preactivation }) => preactivation ?? false)).toEqual([false, true, true, true]);
  expect(networks.map(({ kernel }) => kernel)).toEqual([...Array(3).fill([3, 1, 3]), undefined]);
  expect(networks.every(({ closingStart, stem }) => closingStart === "uniform" && !stem)).toBe(true);
  for (const b of bijections) {
    if (b.kind === "actnorm") expect(b.varianceFloor).toBe(0.2);
    if (b.kind === "monotone") expect(b.scale).toBe(1.5);
  }
  expect(() => imageFlow({ ...TINY, preactivation: true })).toThrow(/preactivation: it stands before layers/);
  expect(() => imageFlow({ ...TINY, kernels: [3, 1] })).toThrow(/kernel: a list of kernels has one for each/);
});

it("has convolutions where its kernels say so, with channels after the activation", async () => {
  const { connected: _, ...tiny } = TINY;
  const options = { ...tiny, network: "multilayer", kernels: [3, 1, 3], preactivation: true } as const;
  const flow = await Flow.create(imageFlow({ ...options, activation: "CPila" }), {
    engine: new ReferenceEngine(),
    capacity: 1,
  });
  const shapes = (block: number) =>
    [0, 1, 2].map(
      (l) => flow.parameters.list.find((p) => p.name === `bijections.${block}.weight.${l}`)?.shape,
    );
  // [row][tap][column]: 4 channels become 2 rows of a doubled activation, and back.
  expect(shapes(1)).toEqual([
    [2, 9, 4],
    [2, 4],
    [4, 9, 4],
  ]);
  // Behind the second squeeze 16 channels, doubled by the pre-activation.
  expect(shapes(4)).toEqual([
    [2, 9, 32],
    [2, 4],
    [16, 9, 4],
  ]);
});

it("needs sizes that can be squeezed", () => {
  expect(() => imageFlow({ ...TINY, height: 8, width: 4 })).not.toThrow();
  expect(() => imageFlow({ ...TINY, height: 6, width: 6 })).toThrow(
    /images of 6 x 6 pixels do not fit: they are squeezed 2 times, so width and height must be multiples of 4; resize/,
  );
});

it("evaluates with the exact terms of evaluation, and not with those of training", async () => {
  const network = {
    kind: "multilayer",
    depth: 1,
    growth: 2,
    activation: "CReLU",
    coeff: 0.98,
    lip: 0.98,
    powerIterations: 50,
    learnConcatenationFrom: 0,
  } as const;
  const image = { channels: 1, height: 2, width: 2 };
  // One term and no more by chance: of a linear map, signs for probes leave the error of the series alone.
  const few = { law: "geometric", rate: 1, exactTerms: 0, exactTermsInEvaluation: 60 } as const;
  const estimator = { ...stochastic, ...few, tolerance: 1e-12 };
  const flow = await Flow.create(
    {
      dim: 4,
      image: { ...image, levels: 17, alpha: 0.05 },
      estimator,
      bijections: [{ kind: "residual", network }],
    },
    { engine: new ReferenceEngine(), capacity: 4 },
  );
  // G(x) = 0.66 x, by x = max(x, 0) - max(-x, 0).
  const values = (name: string) =>
    flow.parameters.list.find((p) => p.name === `bijections.0.${name}`)!.values;
  const first = Math.sqrt(0.66 * Math.SQRT2);
  values("weight.0").set([first]);
  values("weight.1").set([0.66 / first, -0.66 / first]);
  for (const name of ["bias.0", "bias.1"]) values(name).fill(0);
  await flow.convergeNorms();
  const x = pixels(3, 4, 17);
  const exact = await flow.logProb(x, { exact: true });
  expectClose(await flow.logProb(x), exact, 1e-6, "log-densities of an evaluation");
  const training = new Float64Array(4);
  await flow.enter(x.values, 3);
  await flow.likelihoodPass(3, 1, training, { ...FRESH, training: true });
  expect(Math.abs(training[0] - exact[0]), "error with the terms of training").toBeGreaterThan(0.1);
});

const engines: [string, () => Promise<Engine>][] = [
  ["reference", async () => new ReferenceEngine()],
  ["wasm", () => WasmEngine.create()],
];

it.each(engines)("pixels outside of the support have the density 0 on %s", async (_, create) => {
  for (const options of [TINY, { ...TINY, alpha: 0.05 }]) {
    const flow = await randomFlow(options, await create(), 8);
    const dim = 16;
    const levels = TINY.levels as number;
    const table = pixels(7, dim, levels);
    const expected = await flow.logProb(table);
    const { alpha } = flow.declaration.image as { alpha: number };
    const margin = (alpha * levels) / (1 - 2 * alpha);
    const changed = [-1, levels + 1, -1e39, Number.POSITIVE_INFINITY, -1.001 * margin];
    const rows = new Table(7, dim, table.values.slice());
    for (const [i, x] of changed.entries()) rows.values[(1 + i) * dim + 3 * i] = x;
    const logProb = await flow.logProb(rows);
    for (const [i] of changed.entries()) expect(logProb[1 + i]).toBe(Number.NEGATIVE_INFINITY);
    expect(logProb[0]).toBeCloseTo(expected[0], 4);
    expect(logProb[6]).toBeCloseTo(expected[6], 4);
    // The logit reaches a little further than pixels do, and so do samples.
    rows.values[dim] = -0.999 * margin;
    expect((await flow.logProb(rows.slice(1, 2)))[0]).toBeGreaterThan(Number.NEGATIVE_INFINITY);
  }
});

it.each(engines)("so have numbers that are no pixels, where noise is learned, on %s", async (_, create) => {
  const flow = await randomFlow({ ...TINY, dequantization: "variational" }, await create(), 8);
  const levels = TINY.levels as number;
  const table = pixels(6, 16, levels);
  const expected = await flow.logProb(table);
  for (const [i, x] of [-1, levels + 0.5, -1e-9, Number.POSITIVE_INFINITY].entries()) {
    table.values[(1 + i) * 16 + 3 * i] = x;
  }
  const logProb = await flow.logProb(table);
  expect(Array.from(logProb.slice(1, 5))).toEqual(new Array(4).fill(Number.NEGATIVE_INFINITY));
  expect(logProb[0]).toBeCloseTo(expected[0], 4);
  expect(logProb[5]).toBeCloseTo(expected[5], 4);
});

it("is created with norms that have converged, and blank before any power iteration", async () => {
  const declaration = imageFlow({ ...TINY, dequantization: "variational" });
  const options = { engine: new ReferenceEngine(), capacity: 1 };
  const flow = await Flow.create(declaration, options);
  // The vectors that power iteration writes; those that it starts from are random.
  const vectors = (of: Flow) => of.parameters.list.filter(({ name }) => /\.(right|slope)\.\d+$/.test(name));
  const found = vectors(flow).map(({ values }) => values.slice());
  expect(found.length).toBeGreaterThan(15);
  await flow.iterate(300);
  for (const [i, { name, values }] of vectors(flow).entries()) {
    const turned = Math.max(...values.map((value, n) => Math.abs(value - found[i][n])));
    expect(turned / Math.max(...values.map(Math.abs)), name).toBeLessThan(0.2);
  }
  for (const { name, values } of vectors(await Flow.blank(declaration, options)))
    expect(values, name).toEqual(new Float64Array(values.length));
});

/**
 * The worst case for roulette: J = 0.98 I or -0.98 I at every image, by a rectifier that never rectifies. Signs for probes give
 * v^T J^k v = dim J^k, so that all scatter is that of the number of terms. Poisson(2) behind 20 terms is off by 0.6 nats a dimension here,
 * draw after draw.
 */
it.each([0.98, -0.98])("evaluates within the deviation that it promises where J = %d I", async (slope) => {
  const flow = await Flow.create(
    {
      dim: 4,
      image: { channels: 1, height: 2, width: 2, levels: 17, alpha: 0.05 },
      estimator: stochastic,
      bijections: [
        {
          kind: "monotone",
          network: {
            kind: "multilayer",
            depth: 1,
            growth: 1,
            activation: "ReLU",
            coeff: 0.995,
            lip: 0.98,
            powerIterations: 50,
            learnConcatenationFrom: 0,
          },
        },
      ],
    },
    { engine: new ReferenceEngine(), capacity: 4 },
  );
  const set = (name: string, value: number) =>
    flow.parameters.list.find((p) => p.name === `bijections.0.${name}`)!.values.fill(value);
  const root = Math.sqrt(0.98);
  // Beyond the bend for every w, but no larger than that: its rounding is that of the residuals.
  const bias = slope > 0 ? 20 : 500;
  set("weight.0", root);
  set("bias.0", bias);
  set("weight.1", Math.sign(slope) * root);
  set("bias.1", -Math.sign(slope) * root * bias);
  await flow.convergeNorms();
  expect(flow.blocks[0].block.lipschitzBound()).toBeCloseTo(0.98, 6);
  const x = pixels(2, 4, 17);
  const exact = (await flow.forward(x, { exact: true })).logDet;
  const errors: number[] = [];
  for (let seed = 0; seed < 60; seed++) {
    const { logDet } = await flow.forward(x, { seed });
    errors.push((logDet[0] - exact[0]) / 4);
  }
  const mean = errors.reduce((a, b) => a + b) / errors.length;
  const deviation = Math.sqrt(errors.reduce((sum, error) => sum + error ** 2, 0) / errors.length);
  expect(deviation).toBeLessThan(1.5 * ROULETTE_TOLERANCE);
  expect(deviation).toBeGreaterThan(0.2 * ROULETTE_TOLERANCE);
  expect(Math.abs(mean)).toBeLessThan((4.5 * ROULETTE_TOLERANCE) / Math.sqrt(errors.length));
});

it("starts every network with random numbers of its own, those of learned noise, too", async () => {
  const declaration = imageFlow({ ...TINY, dequantization: "variational" });
  // The last one is a block's, so that none may count back from the end.
  const last = declaration.bijections.findLastIndex((bijection) => "network" in bijection);
  const bijections = declaration.bijections.slice(0, last + 1);
  const flow = await Flow.create({ ...declaration, bijections }, { engine: new ReferenceEngine() });
  const first = flow.parameters.list.filter(({ name }) => /weight\.0$/.test(name));
  expect(first).toHaveLength(5);
  // Ratios: the same numbers stand in other networks with another scale.
  expect(new Set(first.map(({ values }) => (values[1] / values[0]).toFixed(9))).size).toBe(5);
});

import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { expectClose } from "../../test/support/close.js";
import { expectGradients, numericalGradient } from "../../test/support/finite-differences.js";
import { smallNetwork } from "../../test/support/networks.js";
import { seeded } from "../../test/support/property.js";
import { norm, normalRows, type Rows, subtract, testRandom } from "../../test/support/rows.js";
import { activationNames } from "../activations/index.js";
import { lanesOf } from "../engine/engine.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { collectGradient } from "../model/gradients.js";
import { Parameters } from "../model/parameters.js";
import { LipschitzNetwork } from "./lipschitz-network.js";
import { MatrixNorm } from "./matrix-norm.js";
import { spectralNormBound } from "./matrix-norm-bound.js";

const engine = new ReferenceEngine();
const KINDS = [
  { name: "dense", kind: "dense" },
  { name: "multilayer", kind: "multilayer" },
  { name: "multilayer with pre-activation", kind: "multilayer", preactivation: true },
] as const;
const all = KINDS.flatMap(({ name, ...layers }) =>
  activationNames.map((activation) => ({ name, layers, activation })),
);

/** A workspace with samples at whose places the network is evaluated, Jacobians included. */
function evaluation(network: LipschitzNetwork, samples: Rows) {
  const { dim } = network;
  const batch = samples.length;
  const views = network.views(network.workspace(batch, dim), batch, dim);
  /** The samples, [dimension][lane], to be changed in place. */
  const x = Float64Array.from({ length: dim * batch }, (_, i) => samples[i % batch][Math.floor(i / batch)]);
  const run = async () => {
    for (let i = 0; i < dim; i++) {
      engine.write(views.input.tensor, x.subarray(i * batch, (i + 1) * batch), i * views.input.stride);
    }
    engine.basisTangents(views.input, batch);
    network.evaluate(views);
    const jet = new Float64Array(views.output.rows * views.output.lanes);
    await engine.read(views.output.tensor, jet);
    return jet;
  };
  return { views, x, run };
}

/** G and its Jacobian (row-major) at each sample. */
async function valuesAndJacobians(network: LipschitzNetwork, samples: Rows) {
  const jet = await evaluation(network, samples).run();
  const { dim } = network;
  const batch = samples.length;
  const at = (i: number, segment: number, sample: number) => jet[(i * (1 + dim) + segment) * batch + sample];
  return samples.map((_, sample) => ({
    value: Array.from({ length: dim }, (_, i) => at(i, 0, sample)),
    jacobian: Array.from({ length: dim * dim }, (_, n) => at(Math.floor(n / dim), 1 + (n % dim), sample)),
  }));
}

describe.each(all)("$name, $activation", ({ layers, activation }) => {
  // With small weights no spectral norm reaches its limit, with large ones all do.
  it.each([0.4, 3])("has the gradients of finite differences, weights times %d", async (weightScale) => {
    const { network, parameters } = smallNetwork(engine, {
      ...layers,
      activation,
      weightScale,
      coeff: 0.8,
      seed: 11,
    });
    const random = testRandom(12);
    for (const p of parameters.list) {
      // Also the vectors of the power iteration: the derivative holds for any, as long as they are held fixed.
      const jitter = p.learned && !p.name.includes("weight") ? 0.5 : 0.02;
      p.values.set(p.values.map((v) => v + jitter * random.normal()));
    }
    const { views, x, run } = evaluation(network, normalRows(random, 5, 2));
    const cotangent = Float64Array.from({ length: views.output.rows * views.output.lanes }, () =>
      random.normal(),
    );
    const scalar = async () => {
      network.prepare();
      return (await run()).reduce((sum, value, i) => sum + value * cotangent[i], 0);
    };

    await scalar();
    engine.write(views.outputBar.tensor, cotangent);
    network.backward(views);
    network.accumulate(views);
    await collectGradient(network);
    const xBar = new Float64Array(x.length);
    for (let i = 0; i < 2; i++) {
      await engine.read(views.inputBar.tensor, xBar.subarray(5 * i, 5 * i + 5), i * views.inputBar.stride);
    }
    expectClose(xBar, await numericalGradient(scalar, x), 1e-7, "gradient of x");
    await expectGradients(parameters.list, scalar);
  });

  it("has the transposed product of its Jacobian", async () => {
    const dim = 3;
    const { network } = smallNetwork(engine, { ...layers, activation, dim, weightScale: 2, seed: 17 });
    network.prepare();
    const random = testRandom(18);
    const { views, run } = evaluation(network, normalRows(random, 1, dim));
    const jet = await run();
    network.linearise(views);
    const bar = engine.tensor(dim);
    const cotangent = Float64Array.from({ length: dim }, () => random.normal());
    engine.write(bar, cotangent);
    network.transposedProduct(views, { tensor: bar, offset: 0, rows: dim, lanes: 1, stride: 1 });
    for (let k = 0; k < dim; k++) {
      const product = new Float64Array(1);
      await engine.read(views.inputBar.tensor, product, k * views.inputBar.stride);
      const expected = cotangent.reduce((sum, c, i) => sum + c * jet[i * (1 + dim) + 1 + k], 0);
      expectClose(product, [expected], 1e-12);
    }
  });

  it("has the Jacobian of finite differences as its tangents", async () => {
    const { network } = smallNetwork(engine, { ...layers, activation, dim: 3, weightScale: 2, seed: 13 });
    network.prepare();
    const samples = normalRows(testRandom(14), 6, 3);
    const expected = await valuesAndJacobians(network, samples);
    for (let k = 0; k < 3; k++) {
      const shifted = (by: number) => samples.map((row) => row.map((v, j) => (j === k ? v + by : v)));
      const above = await valuesAndJacobians(network, shifted(1e-5));
      const below = await valuesAndJacobians(network, shifted(-1e-5));
      expected.forEach(({ jacobian }, s) => {
        const slopes = subtract(above[s].value, below[s].value).map((difference) => difference / 2e-5);
        expectClose(
          [0, 1, 2].map((i) => jacobian[3 * i + k]),
          slopes,
          1e-8,
          `derivative by x${k}`,
        );
      });
    }
  });

  const networks = fc.record({
    dim: fc.constantFrom(1, 2, 3, 5),
    depth: fc.integer({ min: 1, max: 3 }),
    seed: fc.nat(1_000_000),
    weightScale: fc.double({ min: 0.1, max: 20, noNaN: true }),
    coeff: fc.double({ min: 0.3, max: 0.999, noNaN: true }),
  });
  const converged = fc.boolean();
  const spread = fc.constantFrom(1e-3, 0.1, 1, 10);

  it("keeps within its certified Lipschitz constant", async () => {
    await fc.assert(
      fc.asyncProperty(networks, converged, spread, async (options, iterated, deviation) => {
        const { network, parameters } = smallNetwork(engine, { ...layers, activation, ...options });
        const random = testRandom(options.seed + 1);
        // Unless iterated again, the norms are out of date, as they are within training: the bound knows.
        for (const p of parameters.list) {
          if (p.name.includes("weight")) p.values.set(p.values.map((w) => w + 0.3 * random.normal()));
        }
        if (iterated) await network.iterate(500);
        network.prepare();
        const bound = network.lipschitzBound();
        if (iterated) expect(bound).toBeLessThan(1);
        const samples = normalRows(random, 16, options.dim, deviation);
        const outcomes = await valuesAndJacobians(network, samples);
        outcomes.forEach(({ value, jacobian }, i) => {
          expect(spectralNormBound(jacobian, options.dim, options.dim)).toBeLessThanOrEqual(
            bound * (1 + 1e-12),
          );
          for (let j = 0; j < i; j++) {
            const rise = norm(subtract(value, outcomes[j].value));
            const run = norm(subtract(samples[i], samples[j]));
            expect(rise).toBeLessThanOrEqual(bound * run + 1e-12);
          }
        });
      }),
      seeded(15),
    );
  });
});

/**
 * Where certified bounds C divide the weights, the gradient takes dC = u^T dW v with the vectors of the power iteration
 * (docs/math.md): it is that of the map whose bounds change so from where they are.
 */
it.each(["dense", "multilayer"] as const)(
  "has the gradient that is stated where certified bounds limit it, %s",
  async (kind) => {
    const { network, parameters } = smallNetwork(engine, { kind, weightScale: 3, coeff: 0.97, seed: 21 });
    const random = testRandom(22);
    // Vectors that know little of the norms.
    for (const p of parameters.list) {
      if (!/\.(left|right)\.\d+$/.test(p.name)) continue;
      const drawn = Array.from(p.values, () => random.normal());
      p.values.set(drawn.map((value) => value / norm(drawn)));
    }
    const { views, run } = evaluation(network, normalRows(random, 5, 2));
    const cotangent = Float64Array.from({ length: views.output.rows * views.output.lanes }, () =>
      random.normal(),
    );
    const scalar = async () => {
      network.prepare();
      return (await run()).reduce((sum, value, i) => sum + value * cotangent[i], 0);
    };
    await scalar();
    network.spectralNorms().forEach((sigma, i) => {
      expect(network.limitingNorms()[i]).toBeGreaterThan(1.05 * sigma);
    });
    engine.write(views.outputBar.tensor, cotangent);
    network.backward(views);
    network.accumulate(views);
    await collectGradient(network);

    const { bound } = MatrixNorm.prototype;
    const known = new Map<MatrixNorm, { bound: number; sigma: number }>();
    const spy = vi.spyOn(MatrixNorm.prototype, "bound").mockImplementation(function (this: MatrixNorm) {
      const there = known.get(this) ?? { bound: bound.call(this, "certain"), sigma: this.sigma() };
      known.set(this, there);
      return there.bound + this.sigma() - there.sigma;
    });
    try {
      await scalar();
      await expectGradients(parameters.list, scalar);
    } finally {
      spy.mockRestore();
    }
  },
);

it("adds a second backward pass of the values to the first", async () => {
  const { network, parameters } = smallNetwork(engine, { activation: "CLipSwish", weightScale: 2, seed: 15 });
  const random = testRandom(16);
  const { views, run } = evaluation(network, normalRows(random, 4, 2));
  const jetBar = Float64Array.from({ length: views.output.rows * views.output.lanes }, () => random.normal());
  const valueBar = engine.tensor(2 * 4);
  engine.write(
    valueBar,
    Array.from({ length: 2 * 4 }, () => random.normal()),
  );
  const added = { tensor: valueBar, offset: 0, rows: 2, lanes: 4, stride: 4 };
  const values = lanesOf(views.outputBar, 0, 4);

  const gradient = async (passes: () => void) => {
    parameters.gradient.fill(0);
    network.prepare();
    await run();
    engine.write(views.outputBar.tensor, jetBar);
    passes();
    network.accumulate(views);
    await collectGradient(network);
    return parameters.gradient.slice();
  };
  const once = await gradient(() => {
    engine.combine(values, 1, values, 1, added);
    network.backward(views);
  });
  const twice = await gradient(() => {
    network.backward(views);
    network.backwardValues(views, added);
  });
  expectClose(twice, once, 1e-13);
});

it("refuses an odd growth for an activation of two outputs, and an unknown activation", () => {
  expect(() => smallNetwork(engine, { growth: 5 })).toThrow(/growth 5 must be even: CPila has two outputs/);
  expect(() => smallNetwork(engine, { growth: 5, activation: "ELU" })).not.toThrow();
  expect(() => smallNetwork(engine, { activation: "Swish" })).toThrow(/unknown activation 'Swish'.*CPila/);
});

it("says where layers and kernels do not fit", () => {
  expect(() => smallNetwork(engine, { preactivation: true })).toThrow(/pre-activation stands before layers/);
  expect(() => smallNetwork(engine, { depth: 2, kernel: [3, 1] })).toThrow(
    /depth 2 has 3 layers with its closing one, not the 2 of kernels 3-1/,
  );
  expect(() => smallNetwork(engine, { depth: 2, kernel: [1, 1, 3] })).toThrow(/convolutions need images/);
});

it("starts its closing layer near zero, or as the others where it is told to", () => {
  const largest = (closingStart?: "near-zero" | "uniform") => {
    const parameters = new Parameters();
    const declaration = smallNetwork(engine, { closingStart }).network.declaration;
    new LipschitzNetwork(engine, parameters, "g", 2, declaration, testRandom(19));
    const of = (name: string) =>
      Math.max(...(parameters.list.find((p) => p.name === name)?.values.map(Math.abs) ?? []));
    return { weight: of("g.weight.2"), bias: of("g.bias.2") };
  };
  const limit = 1 / Math.sqrt(2 + 2 * 4);
  expect(largest().bias).toBe(0);
  expect(largest().weight).toBeLessThan(0.3 * limit);
  const uniform = largest("uniform");
  expect(uniform.bias).toBeGreaterThan(0);
  expect(uniform.weight).toBeGreaterThan(0.6 * limit);
  expect(uniform.weight).toBeLessThan(limit);
});

it("learns its concatenation from the step that is declared, and all else from the first", () => {
  const { parameters } = smallNetwork(engine, { learnConcatenationFrom: 7 });
  const late = parameters.list.filter(({ learnFrom }) => learnFrom !== 0);
  expect(late.map(({ name, learnFrom }) => [name, learnFrom])).toEqual([["g.concatenation", 7]]);
});

it.each([
  ["dense", "CLipSwish"],
  ["multilayer", "LipSwish"],
] as const)("adds its gradient to what is there (%s, %s)", async (kind, activation) => {
  const { network, parameters } = smallNetwork(engine, { kind, activation, weightScale: 2, seed: 41 });
  network.prepare();
  const bars = Float64Array.from({ length: network.gradientLength }, (_, i) => Math.sin(i));
  const learned = parameters.list.filter((parameter) => parameter.learned);
  const gradients = () => learned.flatMap(({ gradient }) => [...gradient]);
  network.pullBack(bars);
  const once = gradients();
  expect(once.every((value) => value !== 0)).toBe(true);
  network.pullBack(bars);
  expectClose(
    gradients(),
    once.map((value) => 2 * value),
    1e-13,
  );
});

import { describe, expect, it } from "vitest";
import { expectClose } from "../../test/support/close.js";
import { expectGradients } from "../../test/support/finite-differences.js";
import { farFromIdentity } from "../../test/support/flows.js";
import { normalRows, testRandom } from "../../test/support/rows.js";
import type { BijectionDeclaration } from "../bijections/index.js";
import type { Engine } from "../engine/engine.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { WasmEngine } from "../engine/wasm/engine.js";
import { Flow } from "../flows/flow.js";
import { type Formulation, monotoneFlow } from "../flows/monotone-flow.js";
import { collectGradient } from "../model/gradients.js";
import { objective } from "./objectives.js";

const KINDS: (Formulation | "actnorm")[] = ["residual", "inverse-residual", "monotone", "actnorm"];
const CAPACITY = 8;
/** Does not fill its pass, and no whole number of SIMD lanes. */
const COUNT = 5;

/** A flow of these bijections with random parameters, far from the identity. */
async function randomFlow(dim: number, kinds: typeof KINDS, engine: Engine, seed = 61): Promise<Flow> {
  const network = {
    kind: "dense" as const,
    depth: 2,
    growth: 6,
    activation: "CPila",
    coeff: 0.99,
    lip: 0.99,
    powerIterations: 5,
    learnConcatenationFrom: 0,
  };
  const bijections = kinds.map(
    (kind): BijectionDeclaration => (kind === "actnorm" ? { kind } : { kind, network }),
  );
  const flow = await Flow.create({ dim, bijections }, { engine, capacity: CAPACITY });
  return farFromIdentity(flow, testRandom(seed));
}

/** Pairs (x, t), one after the other. */
const pairs = (dim: number, count = COUNT) =>
  Float64Array.from(normalRows(testRandom(62), count, 2 * dim).flat());

/** The sum of the losses, and weight times its gradient in the flow's parameters. */
async function regression(flow: Flow, samples: Float64Array, weight = 1): Promise<number> {
  const squares = objective("regression", flow);
  const count = samples.length / squares.columns;
  flow.parameters.gradient.fill(0);
  flow.prepare();
  await squares.write(samples, count);
  const loss = await squares.pass(samples, count, weight);
  await collectGradient(flow.gradients);
  return loss;
}

describe("regression", () => {
  const chains = [...KINDS.map((kind) => [kind]), KINDS];
  const cases = chains.flatMap((chain) =>
    [1, 3].map((dim) => ({ chain, dim, name: `${chain.join(", ")} in ${dim}-D` })),
  );

  it.each(cases)("has the gradients of finite differences: $name", async ({ chain, dim }) => {
    const flow = await randomFlow(dim, chain, new ReferenceEngine());
    const samples = pairs(dim);
    await regression(flow, samples);
    // Every call of `scalar` leaves a gradient of its own; the one that is judged is that of the start.
    const judged = flow.parameters.list.map((p) => ({ ...p, gradient: p.gradient.slice() }));
    await expectGradients(judged, () => regression(flow, samples), 1e-6);
    expect(judged.some(({ gradient }) => gradient.some((g) => Math.abs(g) > 1e-3))).toBe(true);
  });

  it("is the mean squared error of F(x)", async () => {
    const flow = await randomFlow(2, KINDS, new ReferenceEngine());
    const samples = pairs(2);
    const rows = Array.from({ length: COUNT }, (_, i) => [...samples.subarray(4 * i, 4 * i + 4)]);
    const { z } = await flow.forward(rows.map((row) => row.slice(0, 2)));
    const expected = rows.reduce(
      (sum, row, i) => sum + [0, 1].reduce((s, j) => s + (z.row(i)[j] - row[2 + j]) ** 2 / 2, 0),
      0,
    );
    expectClose([await regression(flow, samples)], [expected], 1e-12);
  });

  it.each(["wasm", "reference"])("adds up over passes on the %s engine", async (name) => {
    const engine = name === "wasm" ? await WasmEngine.create() : new ReferenceEngine();
    const flow = await randomFlow(1, KINDS, engine);
    const samples = pairs(1, CAPACITY);
    const gradientOf = async (part: Float64Array) => {
      await regression(flow, part, 1 / CAPACITY);
      return flow.parameters.gradient.slice();
    };
    const whole = await gradientOf(samples);
    const first = await gradientOf(samples.subarray(0, 6));
    const second = await gradientOf(samples.subarray(6));
    expectClose(
      first.map((g, i) => g + second[i]),
      whole,
      name === "wasm" ? 1e-5 : 1e-12,
    );
  });

  it("is the same on both engines", async () => {
    const [wasm, reference] = [
      await randomFlow(1, KINDS, await WasmEngine.create()),
      await randomFlow(1, KINDS, new ReferenceEngine()),
    ];
    const samples = pairs(1);
    expectClose([await regression(wasm, samples)], [await regression(reference, samples)], 1e-5);
    expectClose(wasm.parameters.gradient, reference.parameters.gradient, 2e-4);
  });
});

describe("likelihood", () => {
  it("is the mean of minus the log-densities, in the units of the data", async () => {
    const standardisation = { mean: [1, -2], deviation: [3, 0.5] };
    const engine = new ReferenceEngine();
    const bijections: BijectionDeclaration[] = [{ kind: "actnorm" }];
    const flow = await Flow.create({ dim: 2, standardisation, bijections }, { engine, capacity: CAPACITY });
    const x = normalRows(testRandom(63), COUNT, 2);
    const likelihood = objective("likelihood", flow);
    await likelihood.write(Float64Array.from(x.flat()), COUNT);
    const sum = await likelihood.pass(Float64Array.from(x.flat()), COUNT, 1);
    const expected = (await flow.logProb(x)).reduce((total, l) => total - l, 0);
    expectClose([sum], [expected], 1e-12);
  });
});

it("a row outside of the support makes the loss infinite instead of another number", async () => {
  const flow = await Flow.create(monotoneFlow({ dim: 2, blocks: 1, depth: 1, growth: 4 }), { capacity: 4 });
  const likelihood = objective("likelihood", flow);
  const samples = Float64Array.from([0, 1, 1e39, 0]);
  await likelihood.write(samples, 2);
  expect(await likelihood.pass(samples, 2, 0.5)).toBe(Number.POSITIVE_INFINITY);
  const regression = objective("regression", flow);
  const pairs = Float64Array.from([0, 1, 0, 0, 1e39, 0, 0, 0]);
  await regression.write(pairs, 2);
  expect(await regression.pass(pairs, 2, 0.5)).toBe(Number.POSITIVE_INFINITY);
});

import { describe, expect, it } from "vitest";
import { expectClose } from "../../test/support/close.js";
import { farFromIdentity } from "../../test/support/flows.js";
import { dot, normalRows, type Rows, testRandom } from "../../test/support/rows.js";
import type { Engine } from "../engine/engine.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { WasmEngine } from "../engine/wasm/engine.js";
import { FlowError } from "../errors.js";
import { collectGradient } from "../model/gradients.js";
import { Table } from "../table.js";
import { Flow, imagesAPass, samplesAPass } from "./flow.js";
import { imageFlow } from "./image-flow.js";
import { type FlowOptions, type Formulation, monotoneFlow } from "./monotone-flow.js";

const small = { blocks: 2, depth: 2, growth: 8, actnorm: true };

/** A flow with random parameters, far from the identity. */
async function randomFlow(
  options: FlowOptions,
  created: { engine?: Engine; seed?: number; capacity?: number } = {},
): Promise<Flow> {
  const flow = await Flow.create(monotoneFlow({ ...small, ...options }), { seed: 1, ...created });
  return farFromIdentity(flow, testRandom(51));
}

async function expectFlowError(action: () => unknown, code: string, message: RegExp): Promise<void> {
  const error = await (async () => action())().then(
    () => null,
    (e) => e,
  );
  expect(error).toBeInstanceOf(FlowError);
  expect(error.message).toMatch(message);
  expect(error.code).toBe(code);
}

describe("the density", () => {
  /** The integral of exp(logProb) over a cube around `centre`, on an even grid. */
  async function mass(flow: Flow, centre: number[], radius: number[], points: number): Promise<number> {
    const along = (j: number) =>
      Array.from({ length: points }, (_, i) => centre[j] + radius[j] * ((2 * i + 1) / points - 1));
    const grid = centre.reduce<Rows>(
      (rows, _, j) => rows.flatMap((row) => along(j).map((x) => [...row, x])),
      [[]],
    );
    const cell = radius.reduce((volume, r) => volume * ((2 * r) / points), 1);
    return (await flow.logProb(grid)).reduce((sum, l) => sum + Math.exp(l) * cell, 0);
  }

  const FORMULATIONS: Formulation[] = ["residual", "inverse-residual", "monotone"];
  // Grids wide enough for the tails of the bends that a flow of two blocks can make.
  it.each(FORMULATIONS)("of %s blocks integrates to 1 in 1-D", async (formulation) => {
    const flow = await randomFlow({ dim: 1, formulation });
    expect(await mass(flow, [0], [15], 4000)).toBeCloseTo(1, 4);
  });

  it.each(FORMULATIONS)("of %s blocks integrates to 1 in 2-D", async (formulation) => {
    const flow = await randomFlow({ dim: 2, formulation });
    expect(await mass(flow, [0, 0], [10, 10], 160)).toBeCloseTo(1, 3);
  });

  const standardisation = { mean: [3, -50], deviation: [20, 0.1] };

  it("integrates to 1 in the units of the columns", async () => {
    const flow = await randomFlow({ dim: 2, standardisation });
    expect(await mass(flow, [3, -50], [200, 1], 160)).toBeCloseTo(1, 3);
  });

  it("is that of the unstandardised flow, with the change of variables", async () => {
    const engine = new ReferenceEngine();
    const plain = await randomFlow({ dim: 2 }, { engine });
    const standardised = await randomFlow({ dim: 2, standardisation }, { engine });
    const { mean, deviation } = standardisation;
    const u = normalRows(testRandom(52), 20, 2);
    const x = u.map((row) => row.map((v, j) => mean[j] + deviation[j] * v));
    const constant = -Math.log(deviation[0] * deviation[1]);
    const shifted = (values: Float64Array, by: number) => values.map((v) => v + by);
    expectClose(await standardised.logProb(x), shifted(await plain.logProb(u), constant), 1e-11);

    const [expected, actual] = [await plain.forward(u), await standardised.forward(x)];
    expectClose(actual.z.values, expected.z.values, 1e-11);
    expectClose(actual.logDet, shifted(expected.logDet, constant), 1e-11);
    const back = await standardised.inverse(actual.z);
    back.x.toArray().forEach((row, i) => {
      row.forEach((v, j) => {
        expect(Math.abs(v - x[i][j])).toBeLessThan(1e-11 * deviation[j]);
      });
    });
    expectClose(
      back.logDet,
      actual.logDet.map((l) => -l),
      1e-11,
    );
  });
});

describe("the size of a pass", () => {
  it("is that of 16 images of 28 x 28, but neither below 16 nor above 64, and 128 of vectors", () => {
    expect([64, 28, 20, 16, 13, 8].map((side) => imagesAPass(side, side))).toEqual([16, 16, 31, 49, 64, 64]);
    expect(imagesAPass(16, 20)).toBe(39);
    const vectors = monotoneFlow({ dim: 2, blocks: 1 });
    expect([samplesAPass(vectors), samplesAPass(vectors, 7)]).toEqual([128, 7]);
    const images = imageFlow({
      ...{ channels: 1, height: 16, width: 20, levels: 5, blocks: [1], growth: 2, depth: 1 },
      connected: { blocks: 0, stem: 1, growth: 2 },
    });
    expect(samplesAPass(images, 7)).toBe(39);
    expect(samplesAPass({ ...vectors, estimator: images.estimator }, 7)).toBe(7);
  });

  it("changes no bit of any result", async () => {
    const [few, many] = [
      await randomFlow({ dim: 3 }, { capacity: 7 }),
      await randomFlow({ dim: 3 }, { capacity: 64 }),
    ];
    const x = normalRows(testRandom(53), 50, 3);
    expect(await few.logProb(x)).toEqual(await many.logProb(x));
    expect(await few.forward(x)).toEqual(await many.forward(x));
    expect(await few.inverse(x)).toEqual(await many.inverse(x));
  });

  it("may be 1, and the samples none", async () => {
    const flow = await randomFlow({ dim: 2 }, { capacity: 1 });
    expect(await flow.logProb([])).toEqual(new Float64Array(0));
    expect(await flow.logProb([[0.1, 0.2]])).toHaveLength(1);
    expect(await flow.logProb(new Table(3, 2))).toHaveLength(3);
  });
});

describe("samples", () => {
  it("are the same for the same seed, whatever the capacity and the number asked for", async () => {
    const [few, many] = [
      await randomFlow({ dim: 2 }, { capacity: 7 }),
      await randomFlow({ dim: 2 }, { capacity: 64 }),
    ];
    const expected = await many.sample(30, { seed: 5 });
    expect(await few.sample(30, { seed: 5 })).toEqual(expected);
    expect((await few.sample(9, { seed: 5 })).values).toEqual(expected.slice(0, 9).values);
    expect(await few.sample(30, { seed: 6 })).not.toEqual(expected);
    expect(await few.sample(5)).toEqual(await few.sample(5, { seed: 0 }));
  });

  it("are inverses of standard normal points, in the units of the columns", async () => {
    const flow = await randomFlow({ dim: 2, standardisation: { mean: [100, 0], deviation: [5, 0.5] } });
    const { z } = await flow.forward(await flow.sample(4000));
    for (const j of [0, 1]) {
      const column = [...z.column(j)];
      const mean = column.reduce((a, b) => a + b) / column.length;
      expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(column.length));
      const variance = dot(column, column) / column.length - mean ** 2;
      expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(2 / column.length));
    }
  });
});

describe("gradients", () => {
  async function gradients(flow: Flow, x: Rows) {
    const logProb = new Float64Array(x.length);
    flow.parameters.gradient.fill(0);
    flow.prepare();
    await flow.enter(x.flat(), x.length);
    await flow.likelihoodPass(x.length, 1 / x.length, logProb);
    await collectGradient(flow.gradients);
    return { logProb, gradient: flow.parameters.gradient.slice() };
  }

  it.each([1, 5])("are free of the lanes that pad a batch of %d", async (count) => {
    const [wasm, reference] = [
      await randomFlow({ dim: 2 }, { capacity: 8 }),
      await randomFlow({ dim: 2 }, { capacity: 8, engine: new ReferenceEngine() }),
    ];
    const random = testRandom(54);
    // What a fuller batch leaves behind must not count either.
    await gradients(wasm, normalRows(random, 8, 2, 5));
    const x = normalRows(random, count, 2);
    const [actual, expected] = [await gradients(wasm, x), await gradients(reference, x)];
    expectClose(actual.logProb, expected.logProb, 1e-5);
    expectClose(actual.gradient, expected.gradient, 2e-4);
  });

  it("add up over passes, sample by sample", async () => {
    const flow = await randomFlow({ dim: 2 }, { capacity: 8, engine: new ReferenceEngine() });
    const x = normalRows(testRandom(55), 8, 2);
    const whole = (await gradients(flow, x)).gradient;
    const parts = [
      (await gradients(flow, x.slice(0, 3))).gradient,
      (await gradients(flow, x.slice(3))).gradient,
    ];
    expectClose(
      parts[0].map((g, i) => (3 * g + 5 * parts[1][i]) / 8),
      whole,
      1e-12,
    );
  });
});

describe("errors", () => {
  it.each([
    ["samples of too many columns", [[1, 2, 3]], "usage", /the flow has 2 dimensions, the samples have 3/],
    ["rows of different lengths", [[1, 2], [3]], "usage", /row 1 has 1 columns/],
    [
      "NaN",
      [
        [1, 2],
        [3, Number.NaN],
      ],
      "input",
      /NaN at row 1, column 1/,
    ],
  ])("name %s", async (_, samples, code, message) => {
    const flow = await randomFlow({ dim: 2 });
    await expectFlowError(() => flow.logProb(samples), code, message);
    await expectFlowError(() => flow.forward(samples), code, message);
    await expectFlowError(() => flow.inverse(samples), code, message);
  });

  it.each([0, -3, 1.5, Number.NaN])("name a number of samples of %d", async (count) => {
    const flow = await randomFlow({ dim: 2 });
    await expectFlowError(() => flow.sample(count), "usage", /positive integer/);
  });

  const faulty: [string, Partial<FlowOptions>, string, RegExp][] = [
    ["an unknown activation", { activation: "Swish" }, "usage", /activation.*CPila.*tanh/],
    ["an odd growth for two outputs", { growth: 5 }, "usage", /growth 5 must be even.*CPila/],
    ["too many dimensions", { dim: 17 }, "usage", /dim.*16/],
    ["a coefficient that is not below 1", { coeff: 1.2 }, "usage", /coeff.*1/],
    [
      "a standardisation of another dimension",
      { standardisation: { mean: [1], deviation: [2, 2, 2] } },
      "usage",
      /standardisation.*one mean/,
    ],
    ["a depth of 0", { depth: 0 }, "usage", /depth/],
    [
      "an unknown formulation",
      { formulation: "affine" as Formulation },
      "usage",
      /formulation must be one of/,
    ],
  ];
  it.each(faulty)("name %s in a declaration", async (_, options, code, message) => {
    await expectFlowError(() => Flow.create(monotoneFlow({ dim: 2, ...options })), code, message);
  });

  it.each([0, -1, 2.5])("name a capacity of %d", async (capacity) => {
    await expectFlowError(() => Flow.create(monotoneFlow({ dim: 2 }), { capacity }), "usage", /capacity/);
  });
});

it("lets calls take turns on the flow's one memory", async () => {
  const flow = await randomFlow({ dim: 2 });
  const [a, b] = [[[0.3, -1]], [[2, 0.5]]];
  const together = await Promise.all([flow.logProb(a), flow.logProb(b), flow.inverse(a)]);
  const alone = [await flow.logProb(a), await flow.logProb(b), await flow.inverse(a)];
  expect(together).toEqual(alone);
  await expect(flow.logProb([[1]])).rejects.toThrow();
  expect(await flow.logProb(a)).toEqual(alone[0]);
});

it("reaches its tolerance where a large G(0) puts the solution far from the target", async () => {
  for (const engine of [new ReferenceEngine(), await WasmEngine.create()]) {
    for (const bias of [10, 100]) {
      const flow = await Flow.create(monotoneFlow({ dim: 2, blocks: 1 }), { engine });
      const closing = flow.parameters.list.find((p) => p.name === "bijections.0.bias.3");
      closing?.values.set([bias, -bias]);
      flow.prepare();
      await flow.forward(normalRows(testRandom(5), 128, 2));
      const counts = flow.chain.bijections[0].counts;
      expect(counts?.unconverged).toBe(0);
      expect(counts?.evaluations).toBeLessThan(8);
    }
  }
});

it("starts with weights of its own in every block, for every seed", async () => {
  const weights = async (seed: number) => {
    const flow = await Flow.create(monotoneFlow({ dim: 2, ...small }), {
      engine: new ReferenceEngine(),
      seed,
    });
    const blocks = flow.blocks.map(({ index }) => `bijections.${index}.weight.0`);
    return blocks.map((name) => String(flow.parameters.list.find((p) => p.name === name)?.values));
  };
  const own = await weights(3);
  expect(await weights(3)).toEqual(own);
  expect(new Set([...own, ...(await weights(4))]).size).toBe(4);
});

describe.each([
  ["reference", async () => new ReferenceEngine() as Engine],
  ["wasm", () => WasmEngine.create()],
])("rows far away, on %s", (_, create) => {
  const standardisation = { mean: [1, -2], deviation: [0.5, 3] };
  const usual: Rows = [
    [0.3, -1],
    [1.2, 4],
    [0.9, -2.5],
  ];

  it("have the density 0 outside of the support, and leave the rows beside them as they are", async () => {
    const flow = await randomFlow({ dim: 2, standardisation }, { engine: await create(), capacity: 8 });
    const outside = [
      [1e39, 0],
      [0, -1e39],
      [1e300, 1e300],
      [Number.POSITIVE_INFINITY, 0],
      [0, Number.NEGATIVE_INFINITY],
    ];
    const rows = [usual[0], ...outside.slice(0, 3), usual[1], ...outside.slice(3), usual[2]];
    const alone = [usual[0], ...Array(3).fill([1, -2]), usual[1], ...Array(2).fill([1, -2]), usual[2]];
    const counts = () => flow.blocks.map(({ block }) => ({ ...block.counts }));
    const expected = await flow.logProb(alone);
    const before = counts();
    const logProb = await flow.logProb(rows);
    for (const [i, row] of rows.entries()) {
      if (outside.includes(row)) expect(logProb[i]).toBe(Number.NEGATIVE_INFINITY);
      else expect(logProb[i]).toBe(expected[i]);
    }
    const { z, logDet } = await flow.forward(rows);
    expect(Array.from(z.row(1))).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
    expect(logDet[1]).toBe(Number.NEGATIVE_INFINITY);
    expect([...z.values, ...logDet].some(Number.isNaN)).toBe(false);
    expect((await flow.forward(rows, { logDet: false })).logDet[1]).toBe(0);
    for (const [i, count] of counts().entries()) expect(count.unconverged).toBe(before[i].unconverged);
  });

  it("have their density to float32 as far as the support goes", async () => {
    const flow = await randomFlow({ dim: 2, standardisation }, { engine: await create(), capacity: 8 });
    const exact = await randomFlow({ dim: 2, standardisation }, { engine: new ReferenceEngine() });
    const rows = [1e3, 1e6, 1e12, 1e15, 4e17].flatMap((far) => [
      [far, 0],
      [-far / 7, far],
    ]);
    const [actual, expected] = [await flow.logProb(rows), await exact.logProb(rows)];
    rows.forEach((row, i) => {
      expect(actual[i] / expected[i], `of ${row}`).toBeCloseTo(1, 5);
      expect(actual[i]).toBeLessThan(-1e4);
    });
    for (const { block } of flow.blocks) expect(block.counts.unconverged).toBe(0);
  });

  it("are refused where they are NaN, or latents that no engine can hold", async () => {
    const flow = await Flow.create(monotoneFlow({ ...small, dim: 2 }), { engine: await create() });
    const nan = [...usual, [0, Number.NaN]];
    await expectFlowError(() => flow.logProb(nan), "input", /NaN at row 3, column 1/);
    await expectFlowError(() => flow.forward(nan), "input", /NaN at row 3, column 1/);
    for (const far of [1e39, Number.POSITIVE_INFINITY]) {
      await expectFlowError(() => flow.inverse([[far, 0]]), "input", /at row 0, column 0/);
    }
  });
});

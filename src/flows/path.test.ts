import { expect, it, vi } from "vitest";
import { expectClose } from "../../test/support/close.js";
import { farFromIdentity } from "../../test/support/flows.js";
import { byEstimates, unlimit } from "../../test/support/networks.js";
import { testRandom } from "../../test/support/rows.js";
import { toySource } from "../data/source.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { WasmEngine } from "../engine/wasm/engine.js";
import { Table } from "../table.js";
import type { FlowDeclaration } from "./declaration.js";
import { FailedRows } from "./failed-rows.js";
import { Flow } from "./flow.js";
import { imageFlow } from "./image-flow.js";
import { type Formulation, monotoneFlow } from "./monotone-flow.js";
import { flowPath } from "./path.js";
import { sumOf } from "./terms.js";

const rows = toySource("moons").test(1, 23);

it.each(["monotone", "residual", "inverse-residual"] as const)(
  "ends where the flow's forward map does (%s)",
  async (formulation: Formulation) => {
    const declaration = monotoneFlow({
      dim: 2,
      blocks: 3,
      growth: 4,
      formulation,
      actnorm: true,
      standardisation: { mean: [1, -2], deviation: [2, 0.5] },
    });
    const flow = await Flow.create(declaration, { engine: new ReferenceEngine(), seed: 3, capacity: 10 });
    const { z, logDet } = await flow.forward(rows);
    const { points, logDets, evaluations } = await flowPath(flow, rows);
    expect(points).toHaveLength(7);
    expectClose(points[6].values, z.values, 1e-12);
    expectClose(
      points[0].values,
      rows.values.map((x, i) => (i % 2 === 0 ? (x - 1) / 2 : (x + 2) / 0.5)),
      1e-12,
    );
    // The standardisation's part stands before the chain.
    const total = logDet.map((_, i) => logDets.reduce((sum, each) => sum + each[i], 0));
    expectClose(
      total,
      logDet.map((value) => value + Math.log(2) + Math.log(0.5)),
      1e-9,
      "",
      1e-9,
    );
    expect(evaluations.map((n) => (formulation === "residual" ? n : Math.min(n, 2)))).toEqual(
      formulation === "residual" ? [1, 0, 1, 0, 1, 0] : [2, 0, 2, 0, 2, 0],
    );
  },
);

it("has nothing to say of no rows", async () => {
  const flow = await Flow.create(monotoneFlow({ dim: 2, blocks: 1, growth: 4 }), {
    engine: new ReferenceEngine(),
  });
  const { points, evaluations } = await flowPath(flow, []);
  expect(points.map((table) => table.rows)).toEqual([0, 0]);
  expect(evaluations).toEqual([0]);
});

it("goes through the chain of images, where numbers leave, and takes its turn", async () => {
  const declaration = imageFlow({
    ...{ channels: 1, height: 4, width: 4, levels: 17, blocks: [1, 1], growth: 4, factorOut: true },
    connected: { blocks: 1, stem: 4, growth: 4 },
  });
  const flow = await Flow.create(declaration, { engine: new ReferenceEngine(), seed: 5, capacity: 3 });
  const random = testRandom(7);
  await farFromIdentity(flow, random);
  const pixels = new Table(
    5,
    16,
    Float64Array.from({ length: 80 }, () => 17 * random.uniform()),
  );
  const options = { exact: true };
  // All at once: none waits for another.
  const [path, { z, logDet }, inverse, again] = await Promise.all([
    flowPath(flow, pixels),
    flow.forward(pixels, options),
    flow.sample(4, { seed: 1 }),
    flowPath(flow, pixels),
  ]);
  expect(again).toEqual(path);
  expect(inverse).toEqual(await flow.sample(4, { seed: 1 }));
  expectClose(path.points.at(-1)?.values ?? [], z.values, 1e-9);
  const terms = await flow.logProbTerms(pixels, options);
  expect(terms.map(({ name }) => name)).toEqual(["base", "log-determinant", "logit"]);
  const [base, chain, logit] = terms.map(({ values }) => values);
  expectClose(
    logDet,
    chain.map((value, i) => value + logit[i]),
    1e-12,
  );
  expectClose(
    base,
    Array.from(base, (_, i) => normalLogDensity(z.row(i))),
    1e-12,
  );
  const whole = await flow.logProb(pixels, options);
  expect(Array.from(whole)).toEqual(Array.from(base, (value, i) => value + chain[i] + logit[i]));
});

const small = { growth: 4, depth: 2 };
const image = { channels: 1, height: 4, width: 4, levels: 17, blocks: [1, 1], ...small };
const decomposed: [string, FlowDeclaration, string[], string[]][] = [
  [
    "a table",
    monotoneFlow({
      dim: 2,
      blocks: 2,
      actnorm: true,
      standardisation: { mean: [1, -2], deviation: [2, 0.5] },
      ...small,
    }),
    ["block 1 (monotone)", "block 2 (actnorm)", "block 3 (monotone)", "block 4 (actnorm)"],
    ["standardisation"],
  ],
  [
    "images with learned noise",
    imageFlow({ ...image, connected: { blocks: 0, stem: 1, growth: 4 }, dequantization: "variational" }),
    ["squeeze", "monotone", "actnorm", "squeeze", "monotone", "actnorm"].map(
      (kind, i) => `block ${i + 1} (${kind})`,
    ),
    ["noise", "logit"],
  ],
];

it.each(decomposed)(
  "log p(x) is the sum of its named terms to the last bit: of %s",
  async (_, declaration, blocks, steps) => {
    const flow = await Flow.create(declaration, { engine: await WasmEngine.create(), seed: 3, capacity: 8 });
    const random = testRandom(8);
    await farFromIdentity(flow, random);
    const x = new Table(
      11,
      flow.dim,
      Float64Array.from({ length: 11 * flow.dim }, () => 16 * random.uniform()),
    );
    const options = { seed: 6, first: 20 };
    const { terms, logDets } = await flowPath(flow, x, { ...options, noise: true });
    expect(terms.map(({ name }) => name)).toEqual(["base", ...blocks, ...steps]);
    const whole = await flow.logProbTerms(x, options);
    expect(sumOf(terms, x.rows)).toEqual(await flow.logProb(x, options));
    expect(terms[0]).toEqual(whole[0]);
    expect(terms.slice(1 + blocks.length)).toEqual(whole.slice(2));
    expect(sumOf(terms.slice(1, 1 + blocks.length), x.rows)).toEqual(whole[1].values);
    expect(logDets).toEqual(terms.slice(1, 1 + blocks.length).map(({ values }) => values));
  },
);

it("has no numbers of rows from where they failed, and none of those outside of the support but infinite ones", async () => {
  const flow = await Flow.create(byEstimates(monotoneFlow({ dim: 2, blocks: 2, growth: 8, depth: 1 })), {
    engine: new ReferenceEngine(),
    capacity: 64,
  });
  unlimit(flow.parameters, 12);
  const x = Table.from([...toySource("rings").test(1, 200).toArray(), [1e30, 0]]);
  await expect(flowPath(flow, x)).rejects.toThrow(/of 201 rows failed: the solver missed its tolerance/);
  const [ofPath, ofMap] = [new FailedRows(), new FailedRows()];
  const { points, terms } = await flowPath(flow, x, { failures: ofPath });
  const logProb = await flow.logProb(x, { failures: ofMap });
  expect(ofPath).toEqual(ofMap);
  expect(ofPath.count).toBeGreaterThan(0);
  expect(Array.from(sumOf(terms, x.rows), Number.isNaN)).toEqual(Array.from(logProb, Number.isNaN));
  for (const [row, place] of ofPath.entries()) {
    for (const { values } of terms) expect(values[row]).toBeNaN();
    // Where all solves converged the log-determinant is not finite: the points are known.
    points.forEach((table, i) => {
      expect(table.row(row).every(Number.isNaN)).toBe(place > 0 && i >= place);
    });
  }
  for (const table of points) expect(Array.from(table.row(200))).toEqual([Infinity, Infinity]);
  for (const { values } of terms) expect(values[200]).toBe(Number.NEGATIVE_INFINITY);
});

const normalLogDensity = (z: Float64Array) =>
  z.reduce((sum, x) => sum - (x * x) / 2 - Math.log(2 * Math.PI) / 2, 0);

it("takes memory of the flow's engine once", async () => {
  const engine = new ReferenceEngine();
  const flow = await Flow.create(monotoneFlow({ dim: 2, blocks: 1, growth: 4 }), { engine });
  await flowPath(flow, rows);
  const tensor = vi.spyOn(engine, "tensor");
  await flowPath(flow, rows);
  expect(tensor).not.toHaveBeenCalled();
});

it("takes as many evaluations as the flow's blocks count, mean over the passes", async () => {
  const engine = new ReferenceEngine();
  const flow = await Flow.create(monotoneFlow({ dim: 2, blocks: 2, growth: 4, actnorm: true }), {
    engine,
    capacity: 8,
  });
  await farFromIdentity(flow, testRandom(9));
  const evaluations = () => flow.chain.bijections.map(({ counts }) => counts?.evaluations ?? 0);
  const before = evaluations();
  const path = await flowPath(flow, rows);
  // 23 rows are three passes.
  expectClose(
    path.evaluations.map((mean) => 3 * mean),
    evaluations().map((n, i) => n - before[i]),
    1e-12,
  );
  expect(path.evaluations[0]).toBeGreaterThan(1);
});

it("takes one evaluation of a bijection with a bound that counts none itself, and none of others", async () => {
  const declaration = monotoneFlow({ dim: 2, blocks: 1, growth: 4, formulation: "residual", actnorm: true });
  const flow = await Flow.create(declaration, { engine: new ReferenceEngine(), capacity: 8 });
  Object.defineProperty(flow.chain.bijections[0], "counts", { value: undefined });
  const { evaluations } = await flowPath(flow, rows);
  expectClose(evaluations, [1, 0], 1e-12);
});

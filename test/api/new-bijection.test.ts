import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import {
  Flow,
  type FlowDeclaration,
  FlowError,
  flowPath,
  loadFlow,
  monotoneFlow,
  ReferenceEngine,
  registerBijection,
  saveFlow,
  toySource,
  fit as train,
} from "../../src/index.js";
import { expectClose } from "../support/close.js";
import { shear } from "./shear.js";

const folder = mkdtempSync(join(tmpdir(), "new-bijection-"));
afterAll(() => rmSync(folder, { recursive: true }));

const blocks = monotoneFlow({ dim: 2, blocks: 2, growth: 4 }).bijections;
const declaration: FlowDeclaration = {
  dim: 2,
  bijections: [{ kind: "shear", start: 0.3 }, blocks[0], { kind: "shear" }, { kind: "actnorm" }, blocks[1]],
};

it("is trained, sampled, saved and loaded with the others, and followed block by block", async () => {
  const source = toySource("moons");
  const flow = await Flow.create(declaration, { seed: 1 });
  const rows = source.test(2, 300);
  const mean = async (of: Flow) => (await of.logProb(rows)).reduce((a, b) => a + b) / 300;
  const before = await mean(flow);
  await train(flow, source, { steps: 60, batch: 64, learningRate: 1e-2 });
  expect(await mean(flow)).toBeGreaterThan(before + 0.1);
  const learned = flow.parameters.list.find(({ name }) => name === "bijections.2.a")?.values[0] ?? 0;
  expect(Math.abs(learned), "what it has learned").toBeGreaterThan(0.01);

  const samples = await flow.sample(50, { seed: 3 });
  const { z } = await flow.forward(samples);
  expectClose((await flow.inverse(z)).x.values, samples.values, 1e-5);
  const { points } = await flowPath(flow, samples);
  expectClose(points.at(-1)?.values ?? [], z.values, 1e-6);

  saveFlow(flow, folder);
  const loaded = await loadFlow(folder);
  expect(await loaded.logProb(rows)).toEqual(await flow.logProb(rows));
});

it("is refused with the field that is wrong, and where nobody knows it", async () => {
  const create = (kind: object) =>
    Flow.create({ dim: 2, bijections: [kind] } as unknown as FlowDeclaration, {
      engine: new ReferenceEngine(),
    });
  await expect(create({ kind: "shear", start: "x" })).rejects.toThrow(/wrong at bijections\.0\.start: /);
  await expect(create({ kind: "shear", end: 1 })).rejects.toThrow(/wrong at bijections\.0: /);
  await expect(create({ kind: "twist" })).rejects.toThrow(
    /at bijections\.0\.kind: there is no bijection of the kind 'twist', only residual, .*, shear/,
  );
  await expect(create([])).rejects.toThrow(/at bijections\.0\.kind: there is no bijection/);
  registerBijection(shear);
  expect(() => registerBijection({ ...shear })).toThrow(FlowError);
});

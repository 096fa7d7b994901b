import { expect, it } from "vitest";
import type { ImageSet } from "../src/data/images/image-set.js";
import { noisyImages } from "../src/data/images/noisy-images.js";
import { type DataSource, toySource } from "../src/data/source.js";
import type { Engine } from "../src/engine/engine.js";
import { ReferenceEngine } from "../src/engine/reference/engine.js";
import type { FlowDeclaration } from "../src/flows/declaration.js";
import { Flow } from "../src/flows/flow.js";
import { imageFlow } from "../src/flows/image-flow.js";
import { monotoneFlow } from "../src/flows/monotone-flow.js";
import { flowPath } from "../src/flows/path.js";
import { alone } from "../src/ranks/communicator.js";
import { Trainer } from "../src/training/trainer.js";
import { deferredEngine } from "./support/deferred-engine.js";

const images: ImageSet = {
  shape: { channels: 1, height: 4, width: 4 },
  levels: 5,
  count: 40,
  read: (index, out) => out.set(Array.from({ length: 16 }, (_, j) => (index * (j + 3)) % 5)),
};
const plain = { depth: 1, growth: 4 };
const cases: [string, FlowDeclaration, DataSource][] = [
  [
    "an exact flow with a learned base",
    { ...monotoneFlow({ dim: 2, blocks: 2, actnorm: true, ...plain }), base: { kind: "mixture" } },
    toySource("moons"),
  ],
  [
    "a flow of images with learned noise",
    imageFlow({
      ...{ channels: 1, height: 4, width: 4, levels: 5, blocks: [1, 1], factorOut: true, ...plain },
      connected: { blocks: 1, stem: 4, growth: 4 },
      dequantization: "variational",
    }),
    noisyImages({ name: "test", train: images, test: images, close() {} }),
  ],
];

/** Three steps of training, then everything that a flow can be asked for. */
async function everything(engine: Engine, declaration: FlowDeclaration, source: DataSource) {
  const flow = await Flow.create(declaration, { engine, seed: 4, capacity: 4 });
  const options = { steps: 3, batch: 6, seed: 2, learningRate: 1e-2, l2: 1e-4, clip: 1, averaging: 0.9 };
  const trainer = new Trainer(flow, source, options, alone);
  const losses = [];
  while (trainer.step < options.steps) losses.push((await trainer.advance()).loss);
  await trainer.finish();
  const rows = source.test(1, 6);
  return {
    losses,
    parameters: flow.parameters.values,
    latents: await flow.forward(rows),
    logProb: await flow.logProb(rows),
    terms: await flow.logProbTerms(rows, { exact: true }),
    samples: await flow.sample(6, { seed: 5 }),
    path: await flowPath(flow, rows),
    bounds: await flow.certifiedBounds("tight"),
  };
}

it.each(cases)("calls enqueue, only reads wait: %s has the same bits", async (_, declaration, source) => {
  const deferred = deferredEngine();
  const result = await everything(deferred, declaration, source);
  expect(result).toEqual(await everything(new ReferenceEngine(), declaration, source));
  expect(result.losses.every(Number.isFinite)).toBe(true);
  expect(deferred.performed, "calls that came from the queue").toBeGreaterThan(1000);
});

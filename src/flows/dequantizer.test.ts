import { expect, it } from "vitest";
import { expectClose } from "../../test/support/close.js";
import { expectGradients } from "../../test/support/finite-differences.js";
import { randomise } from "../../test/support/networks.js";
import { testRandom } from "../../test/support/rows.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { objective } from "../training/objectives.js";
import type { FlowDeclaration } from "./declaration.js";
import { Flow } from "./flow.js";

const DECLARATION: FlowDeclaration = {
  dim: 4,
  image: { channels: 1, height: 2, width: 2, levels: 5, alpha: 0.05 },
  dequantization: {
    kind: "variational",
    network: {
      kind: "dense",
      kernel: 3,
      depth: 1,
      growth: 2,
      activation: "CLipSwish",
      coeff: 0.9,
      lip: 0.9,
      powerIterations: 200,
      spectralTolerance: 1e-14,
      learnConcatenationFrom: 0,
    },
  },
  bijections: [{ kind: "actnorm" }],
};
const PIXELS = Float64Array.from([0.5, 1.2, 2.7, 4.9, 3.1, 0.2, 4.4, 1.6, 2, 2, 1, 0]);

async function randomFlow(): Promise<Flow> {
  const flow = await Flow.create(DECLARATION, { engine: new ReferenceEngine(), capacity: 2 });
  randomise(flow.parameters, testRandom(71), 1);
  await flow.settle();
  return flow;
}

it("has the gradients of finite differences", async () => {
  const flow = await randomFlow();
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
  await flow.collectGradient();
  const own = flow.parameters.list.map((p) => ({ ...p, gradient: p.gradient.slice() }));
  await expectGradients(own, loss, 1e-6);
});

it("draws by the numbers of the rows, and of whole pixels alone", async () => {
  const flow = await randomFlow();
  const { Table } = await import("../table.js");
  const x = new Table(3, 4, PIXELS);
  const all = await flow.logProb(x, { seed: 4 });
  expectClose(await flow.logProb(x.slice(1), { seed: 4, first: 1 }), all.slice(1), 1e-12);
  expect(await flow.logProb(new Table(3, 4, PIXELS.map(Math.floor)), { seed: 4 })).toEqual(all);
  expect(await flow.logProb(x, { seed: 5 })).not.toEqual(all);
});

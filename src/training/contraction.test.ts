import { expect, it } from "vitest";
import { type DataSource, toySource } from "../data/source.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { Flow } from "../flows/flow.js";
import { imageFlow } from "../flows/image-flow.js";
import { monotoneFlow } from "../flows/monotone-flow.js";
import { alone } from "../ranks/communicator.js";
import { Table } from "../table.js";
import { Trainer, type TrainingState } from "./trainer.js";

/** The largest certified bound of a flow's blocks right before every of their passes. */
function watch(flow: Flow): { passes: number; worst: number } {
  const seen = { passes: 0, worst: 0 };
  for (const { block } of flow.blocks) {
    for (const way of ["forward", "inverse"] as const) {
      const pass = block[way].bind(block);
      block[way] = (...matrices) => {
        seen.passes++;
        seen.worst = Math.max(seen.worst, block.lipschitzBound("tight"));
        return pass(...matrices);
      };
    }
  }
  return seen;
}

const limits = { coeff: 0.99, lip: 0.99, learnConcatenationFrom: 0 };

async function trainer(batch: number, powerIterations: number, state: TrainingState | null = null) {
  const declaration = monotoneFlow({ dim: 2, blocks: 2, growth: 16, powerIterations, ...limits });
  const options = { steps: 300, batch, seed: 0, learningRate: 1e-2, l2: 0, averaging: 0.9 };
  const made = new Trainer(await Flow.create(declaration), toySource("2spirals"), options, alone);
  if (state) made.restore(state);
  return made;
}

// With estimates alone 4 and 24 steps of these have bounds of up to 1.04 and 1.1.
it.each([
  [5, 64],
  [1, 32],
])(
  "limits of 0.99, large steps, %d rounds of power iteration: every block of every pass is a contraction",
  async (rounds, batch) => {
    const whole = await trainer(batch, rounds);
    const seen = watch(whole.flow);
    let half: TrainingState | null = null;
    while (whole.step < 200) {
      if (whole.step === 150) half = whole.state();
      await whole.advance();
    }
    expect(seen.worst).toBeLessThan(1);
    expect(seen.passes).toBeGreaterThanOrEqual(400);
    // What is known of the weights before decides nothing: a run that goes on takes the same steps.
    const resumed = await trainer(batch, rounds, half);
    while (resumed.step < 200) await resumed.advance();
    expect(resumed.flow.parameters.values).toEqual(whole.flow.parameters.values);
    // Averaged weights have no vectors of their own.
    await whole.withAverage(() => whole.flow.forward(new Table(3, 2)));
    expect(seen.worst).toBeLessThan(1);
  },
);

const image = { channels: 1, height: 4, width: 4, levels: 4, blocks: [1], growth: 4, depth: 2 };

it.each([
  ["of other weights", /left|slope/, (values: Float64Array) => values.slice().reverse()],
  ["that make sigma negative", /left|slope/, (values: Float64Array) => values.map((x) => -x)],
  ["that training would trust", /slope/, (values: Float64Array) => values.map((x) => x / 1.4)],
] as const)("vectors %s: evaluation keeps the bound all the same", async (_, which, change) => {
  const declarations = [0.93, 0.99].flatMap((limit) => {
    const own = { coeff: limit, lip: limit };
    return [
      monotoneFlow({ dim: 2, blocks: 2, growth: 8, ...own }),
      imageFlow({ ...image, connected: { blocks: 1, stem: 4, growth: 4 }, ...own }),
    ];
  });
  for (const declaration of declarations) {
    const flow = await Flow.create(declaration, { engine: new ReferenceEngine() });
    const { list } = flow.parameters;
    for (const { name, values } of list)
      if (name.includes("weight")) values.set(values.map((x, i) => 8 * x + Math.sin(3 * i)));
    await flow.iterate(300);
    for (const { name, values } of list) if (which.test(name)) values.set(change(values));
    flow.prepare();
    const seen = watch(flow);
    const x = new Table(2, flow.dim, new Float64Array(2 * flow.dim).fill(0.5));
    const { z } = await flow.forward(x, { logDet: false });
    await flow.inverse(z, { logDet: false });
    expect(seen.worst).toBeLessThan(1);
    expect(seen.worst).toBeGreaterThan(0.5);
  }
});

it("training certifies convolutions whose margin is narrow at every step", async () => {
  const flow = await Flow.create(
    imageFlow({ ...image, connected: { blocks: 0, stem: 1, growth: 2 }, coeff: 0.99, lip: 0.99 }),
  );
  const source = {
    name: "bits",
    dim: 16,
    fill(out: Float64Array, _seed: number, step: number) {
      for (let i = 0; i < out.length; i++) out[i] = Math.floor(2 + 2 * Math.sin(i + 7 * step)) + 0.5;
    },
  } as unknown as DataSource;
  const training = new Trainer(
    flow,
    source,
    { steps: 50, batch: 4, seed: 0, learningRate: 3e-2, l2: 0 },
    alone,
  );
  const seen = watch(flow);
  while (training.step < 40) await training.advance();
  expect(seen.worst).toBeLessThan(1);
  expect(seen.worst).toBeGreaterThan(0.9);
});

import { expect, it } from "vitest";
import { expectClose } from "../../test/support/close.js";
import { rankPrograms } from "../../test/support/rank-programs.js";
import { toySource } from "../data/source.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { Flow } from "../flows/flow.js";
import { monotoneFlow } from "../flows/monotone-flow.js";
import { alone } from "../ranks/communicator.js";
import type { RankProgram } from "../ranks/worker.js";
import type { TrainingJob } from "./job.js";
import { train } from "./train.js";
import { Trainer } from "./trainer.js";

const programs = await rankPrograms();

const job = (steps: number): TrainingJob => ({
  data: { kind: "toy", name: "2spirals" },
  declaration: monotoneFlow({ dim: 2, blocks: 2, growth: 4, actnorm: true }),
  // Two pieces a rank, none of them a whole number of lanes.
  options: { steps, batch: 451, seed: 7, learningRate: 1e-3, l2: 1e-5 },
  state: null,
});

/** The losses of all steps, and the flow at the end. */
async function run(steps: number, ranks: number, program: RankProgram = programs.training) {
  const losses: number[] = [];
  const { trainer, remark } = await train(
    job(steps),
    ranks,
    {
      onStep: (_, { loss }) => {
        losses.push(loss);
      },
    },
    program,
  );
  expect(remark).toBeNull();
  return { losses, flow: trainer.flow };
}

it("has the gradient of the reference engine with 1, 2 and 3 ranks", async () => {
  const { declaration, options } = job(1);
  const exact = await Flow.create(declaration, { engine: new ReferenceEngine(), seed: options.seed });
  const trainer = new Trainer(exact, toySource("2spirals"), options, alone);
  const { loss } = await trainer.advance();
  for (const ranks of [1, 2, 3]) {
    const { losses, flow } = await run(1, ranks);
    expect(losses[0]).toBeCloseTo(loss, 5);
    for (const { name, learned, gradient } of exact.parameters.list) {
      if (!learned) continue;
      const own = flow.parameters.list.find((p) => p.name === name)?.gradient ?? [];
      expectClose(own, gradient, 1e-4, `the gradient of ${name} with ${ranks} ranks`, 1e-2);
    }
  }
});

it("is decided to the last bit by its seed and its number of ranks", async () => {
  const [one, two, again, three] = [await run(15, 1), await run(15, 2), await run(15, 2), await run(15, 3)];
  expect(again.losses).toEqual(two.losses);
  expect(again.flow.parameters.values).toEqual(two.flow.parameters.values);
  for (const { losses } of [two, three]) {
    losses.forEach((loss, step) => {
      expect(loss).toBeCloseTo(one.losses[step], 4);
    });
  }
});

it.each([
  ["throws", "at the start", /^rank [12] of 3 died: this rank throws$/],
  ["throws", "midway", /^rank [12] of 3 died: this rank throws$/],
  ["exits", "at the start", /^rank [12] of 3 died: its thread ended with code 0$/],
  ["exits", "midway", /^rank [12] of 3 died: its thread ended with code 0$/],
  ["fails later", "midway", /^rank [12] of 3 died: this rank fails later$/],
] as const)("ends with an error when a rank %s %s", async (death, when, message) => {
  await expect(run(1_000_000, 3, programs.dying(death, when))).rejects.toMatchObject({
    code: "internal",
    message: expect.stringMatching(message),
  });
});

it("ends with an error when a program of ranks is not there", async () => {
  const nowhere = { ...programs.training, node: () => new URL("file:///nowhere.js") };
  await expect(run(10, 2, nowhere)).rejects.toThrow(/^rank 1 of 2 died: Cannot find module/);
});

it("waits in turns where there is no Atomics.waitAsync", async () => {
  const { losses } = await run(5, 2);
  const atomics = Atomics as { waitAsync?: unknown };
  const { waitAsync } = atomics;
  expect(waitAsync).toBeDefined();
  atomics.waitAsync = undefined;
  try {
    expect((await run(5, 2)).losses).toEqual(losses);
  } finally {
    atomics.waitAsync = waitAsync;
  }
});

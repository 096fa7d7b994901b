/** Threads know a bijection from outside of the package by the module that registers it. */
import { expect, it } from "vitest";
import { z } from "zod";
import {
  Flow,
  type FlowDeclaration,
  monotoneFlow,
  registerBijection,
  type TrainingJob,
  toySource,
  train,
  withRanks,
} from "../../src/index.js";
import { expectClose } from "../support/close.js";
import { rankPrograms } from "../support/rank-programs.js";
import { shear } from "./shear.js";

const programs = await rankPrograms({ shear: new URL("./shear.ts", import.meta.url) });
// As it would be by itself, where modules need no compilation.
registerBijection(shear, { module: programs.address("shear") });

const declaration: FlowDeclaration = {
  dim: 2,
  bijections: [{ kind: "shear", start: 0.3 }, ...monotoneFlow({ dim: 2, blocks: 1, growth: 4 }).bijections],
};
const job: TrainingJob = {
  data: { kind: "toy", name: "moons" },
  declaration,
  options: { steps: 12, batch: 250, seed: 3, learningRate: 1e-2, l2: 0 },
  state: null,
};

it("is trained on two threads as on one, to the rounding of their sums", async () => {
  const [one, two] = [await train(job, 1), await train(job, 2, {}, programs.training)];
  const [own, shared] = [one, two].map(({ trainer }) => trainer.flow.parameters.values);
  expectClose(shared, own, 1e-4);
  const [learned] = two.trainer.flow.parameters.list;
  expect(learned.name).toBe("bijections.0.a");
  expect(Math.abs(learned.values[0] - 0.3), "what it has learned").toBeGreaterThan(0.01);
});

it("maps rows on two threads to the bits of one", async () => {
  const flow = await Flow.create(declaration, { seed: 2 });
  const rows = toySource("moons").test(0, 3_000);
  const own = await flow.forward(rows);
  await withRanks(flow, async (maps) => expect(await maps.forward(rows)).toEqual(own), {
    ranks: 2,
    patience: 0,
    program: programs.mapping,
  });
});

it("is refused on threads where it names no module", async () => {
  const kind = "shear-of-one-thread";
  registerBijection({
    ...shear,
    kind,
    schema: z.strictObject({ kind: z.literal(kind) }),
  } as unknown as typeof shear);
  const bijections = [{ kind }] as unknown as FlowDeclaration["bijections"];
  const refusal = {
    code: "usage",
    message: expect.stringMatching(/^other threads cannot know .*one thread$/),
  };
  const onThreads = train({ ...job, declaration: { dim: 2, bijections } }, 2, {}, programs.training);
  await expect(onThreads).rejects.toMatchObject(refusal);
});

/** Trains the four variants by turns, a step each: whatever is shown, all have done as many. */
import "../../../models/no-eval.js";
import { declarationOf, quick, variants } from "../../../../src/experiments/staircase/protocol.js";
import { alone } from "../../../../src/ranks/communicator.js";
import { createTrainer } from "../../../../src/training/job.js";
import { Table, type Trainer } from "../../../library.js";
import { serve } from "../../../models/serve.js";
import { fitOf, lossOfStep } from "./fit.js";
import { POINTS, type StaircaseNews, type StaircaseOrder, xOf } from "./messages.js";

/** How long a slice of training may take. */
const SLICE_MS = 60;

const grid = new Table(
  POINTS,
  1,
  Float64Array.from({ length: POINTS }, (_, i) => xOf(i)),
);
let trainers: Trainer[] = [];
let steps = 0;

serve<StaircaseOrder, StaircaseNews>(async (order) => {
  if (order.kind === "make") await make(order);
  const losses: number[][] = trainers.map(() => []);
  const end = performance.now() + SLICE_MS;
  while (order.kind === "go" && trainers[0].step < steps && performance.now() < end) {
    for (const [i, trainer] of trainers.entries()) losses[i].push(await lossOfStep(trainer));
  }
  const fits: StaircaseNews["fits"][number][] = [];
  for (const [i, trainer] of trainers.entries()) fits.push(await fitOf(trainer, grid, losses[i]));
  const { step } = trainers[0];
  return { kind: "fits", step, done: step >= steps, fits };
});

async function make(order: StaircaseOrder & { kind: "make" }): Promise<void> {
  steps = order.steps;
  const protocol = { ...quick, network: { ...quick.network, growth: order.growth } };
  // The learning rate falls where it does in the experiment, in proportion.
  const schedule = quick.training.schedule?.map(({ from, factor }) => ({
    from: Math.round((from / quick.training.steps) * steps),
    factor,
  }));
  const { batch, seed } = order;
  const options = { ...quick.training, steps, batch, seed, schedule, objective: "regression" } as const;
  trainers = [];
  for (const variant of variants) {
    const declaration = declarationOf(variant, protocol);
    trainers.push(
      await createTrainer({ data: { kind: "staircase" }, declaration, options, state: null }, alone),
    );
  }
}

import { expect, it } from "vitest";
import { monotoneFlow } from "../flows/monotone-flow.js";
import { Parameters } from "../model/parameters.js";
import { alone } from "../ranks/communicator.js";
import { AveragedWeights } from "./averaged-weights.js";
import { createTrainer } from "./job.js";
import type { TrainingState } from "./trainer.js";

it("starts with the plain mean, ends with the decay, and replaces the weights", () => {
  const parameters = new Parameters();
  parameters.learned("w", [1], Float64Array.of(5));
  parameters.seal();
  const average = new AveragedWeights(parameters, 0.5);
  let expected = 5;
  for (const [step, decay] of [0.1, 2 / 11, 0.25, 4 / 13].entries()) {
    parameters.values[0] = step;
    average.update(step + 1);
    expected = decay * expected + (1 - decay) * step;
  }
  expect(average.values[0]).toBeCloseTo(expected, 12);
  parameters.values[0] = 7;
  average.update(1000);
  expect(average.values[0]).toBeCloseTo((expected + 7) / 2, 12);
  average.apply();
  expect(parameters.values[0]).toBe(average.values[0]);
  expect(() => average.restore(undefined)).toThrow("missing or those of another flow");
});

const declaration = monotoneFlow({ dim: 2, blocks: 2, growth: 4 });
const training = { steps: 6, batch: 20, seed: 0, learningRate: 1e-2, l2: 0 };

async function trained(steps: number, averaging: number | undefined, state: TrainingState | null = null) {
  const data = { kind: "toy", name: "moons" } as const;
  const trainer = await createTrainer(
    { data, declaration, options: { ...training, averaging }, state },
    alone,
  );
  while (trainer.step < steps) await trainer.advance();
  return trainer;
}

it("goes on bit for bit from a checkpoint, and gives the trained model averaged weights only where asked for", async () => {
  const [whole, half, plain] = [await trained(6, 0.9), await trained(3, 0.9), await trained(6, undefined)];
  const resumed = await trained(6, 0.9, half.state());
  expect(whole.flow.parameters.values).toEqual(plain.flow.parameters.values);
  expect(plain.state().average).toBeUndefined();
  const last = plain.flow.parameters.values.slice();
  for (const trainer of [whole, resumed, plain]) await trainer.finish();
  expect(resumed.flow.parameters.values).toEqual(whole.flow.parameters.values);
  expect(plain.flow.parameters.values).toEqual(last);
  expect(whole.flow.parameters.values).not.toEqual(last);
});

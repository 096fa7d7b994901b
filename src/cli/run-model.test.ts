import { expect, it } from "vitest";
import { stepsOf } from "./run-model.js";

it("takes the steps of a model from its own files, from the configuration at last", () => {
  const config = { training: { steps: 9 } } as Parameters<typeof stepsOf>[0]["config"];
  const summary = { steps: 5 } as Parameters<typeof stepsOf>[0]["summary"];
  const flow = (steps: number | null) => ({ steps });
  // A run that was killed while it went on beyond its model has no summary, and more steps in its configuration.
  expect(stepsOf({ config, summary: null }, flow(3))).toBe(3);
  expect(stepsOf({ config, summary }, flow(null))).toBe(5);
  expect(stepsOf({ config, summary: null }, flow(null))).toBe(9);
  const origin = { study: "mlvlab" } as (typeof config)["origin"];
  expect(stepsOf({ config: { ...config, origin }, summary: null }, flow(null))).toBeNull();
});

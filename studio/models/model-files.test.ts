import { expect, it } from "vitest";
import { stepsOf } from "./model-files.js";

it("takes the steps from the weights, and from what the run was to do only if they tell none", () => {
  const training = { steps: 500 };
  expect(stepsOf({ steps: 120 }, { training })).toBe(120);
  expect(stepsOf({ steps: 0 }, { training })).toBe(0);
  expect(stepsOf({ steps: null }, { training })).toBe(500);
  expect(stepsOf({ steps: null }, {})).toBeNull();
  // An imported model was trained by another program, and by none of its configuration's settings.
  expect(stepsOf({ steps: null }, { training, origin: { study: "mlvlab" } })).toBeNull();
});

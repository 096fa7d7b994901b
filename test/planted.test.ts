import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { plantedErrors } from "../scripts/mutants/planted.js";

it("finds the code of every error that `npm run mutants -- --planted` plants", () => {
  const errors = plantedErrors(fileURLToPath(new URL("..", import.meta.url)));
  expect(errors.length).toBeGreaterThan(90);
  expect(new Set(errors.map(({ key }) => key)).size).toBe(errors.length);
});

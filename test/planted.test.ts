import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { plantedErrors } from "../scripts/mutants/planted.js";
import { BY_PROGRAM } from "../scripts/mutants/tree.js";

const root = fileURLToPath(new URL("..", import.meta.url));

it("finds the code of every error that `npm run mutants -- --planted` plants", () => {
  const errors = plantedErrors(root);
  expect(errors.length).toBeGreaterThan(90);
  expect(new Set(errors.map(({ key }) => key)).size).toBe(errors.length);
});

it("names files and tests that there are", () => {
  const names = BY_PROGRAM.flatMap(([files, tests]) => [
    ...files.map((name) => `src/${name}.ts`),
    ...tests.map((name) => `test/cli/${name}.test.ts`),
  ]);
  expect(names.filter((name) => !existsSync(`${root}/${name}`))).toEqual([]);
});

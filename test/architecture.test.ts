import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, it } from "vitest";

/** The house (design, "The house"), from top to bottom: a folder imports from itself and from those under it. */
const FOLDERS = [
  "cli",
  "experiments",
  "reports",
  "training",
  "plots",
  "data",
  "ranks",
  "interchange",
  "flows",
  "preprocessing",
  "bases",
  "bijections",
  "solvers",
  "logdet",
  "networks",
  "activations",
  "model",
  "engine",
];
/** Files at the root of src that every folder may import, and those that may import every folder. */
const FOUNDATIONS = [
  "errors.ts",
  "files.ts",
  "kinds.ts",
  "linear-algebra.ts",
  "package.ts",
  "shape.ts",
  "table.ts",
];
const ROOFS = ["index.ts", "browser.ts"];

const root = fileURLToPath(new URL("..", import.meta.url));

/** Whether a file of src may import another; both paths are relative to the repository. */
function allowed(file: string, imported: string): boolean {
  const [, folder] = file.split("/");
  const [importedRoot, importedFolder] = imported.split("/");
  if (importedRoot === "bench") return folder === "cli";
  if (importedRoot !== "src") return false;
  if (ROOFS.includes(folder) || FOUNDATIONS.includes(importedFolder)) return true;
  return FOLDERS.includes(folder) && FOLDERS.indexOf(importedFolder) >= FOLDERS.indexOf(folder);
}

/** The files of this repository that a file imports, types and dynamic imports included. */
function imports(file: string): string[] {
  return ts
    .preProcessFile(readFileSync(join(root, file), "utf8"))
    .importedFiles.map(({ fileName }) => fileName)
    .filter((name) => name.startsWith("."))
    .map((name) => relative(root, join(root, dirname(file), name)).replace(/\.js$/, ".ts"));
}

const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .map((file) => `src/${file.replaceAll("\\", "/")}`)
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"));

it("has no folder in src that the house does not name", () => {
  const places = new Set(files.map((f) => f.split("/")[1]));
  expect([...places].filter((p) => ![...FOLDERS, ...FOUNDATIONS, ...ROOFS].includes(p))).toEqual([]);
});

it("imports downwards only", () => {
  expect(files.length).toBeGreaterThan(50);
  const offences = files.flatMap((file) =>
    imports(file)
      .filter((imported) => !allowed(file, imported))
      .map((imported) => `${file} imports ${imported}`),
  );
  expect(offences).toEqual([]);
});

it.each([
  ["src/flows/flow.ts", "src/model/random.ts", true],
  ["src/model/random.ts", "src/errors.ts", true],
  ["src/model/random.ts", "src/activations/tanh.ts", false],
  ["src/errors.ts", "src/table.ts", true],
  ["src/errors.ts", "src/model/random.ts", false],
  ["src/data/csv.ts", "src/plots/png.ts", false],
  ["src/reports/report.ts", "src/plots/png.ts", true],
  ["src/reports/report.ts", "src/experiments/presets.ts", false],
  ["src/index.ts", "src/training/train.ts", true],
  ["src/training/train.ts", "src/index.ts", false],
  ["src/cli/bench.ts", "bench/kernels.ts", true],
  ["src/flows/flow.ts", "bench/kernels.ts", false],
  ["src/flows/flow.ts", "test/golden/golden.ts", false],
])("judges that %s imports %s: %s", (file, imported, verdict) => {
  expect(allowed(file, imported)).toBe(verdict);
});

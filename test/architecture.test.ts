import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, it } from "vitest";

/** The house (design, "The house"), from top to bottom: a folder imports from itself and from those under it. */
const FOLDERS = [
  "cli",
  "experiments",
  "presets",
  "reports",
  "runs",
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
  "manifest.ts",
  "options.ts",
  "package.ts",
  "shape.ts",
  "table.ts",
  "turn.ts",
];
const ROOFS = ["index.ts", "browser.ts"];

const root = fileURLToPath(new URL("..", import.meta.url));

/** The studio, from top to bottom; `library.ts` is what it has of src, and pages may look further into it. */
const STUDIO = ["main.tsx", "app", "pages", "controls", "models", "plots", "browser", "library.ts"];
/** Folders of src that nothing but the command line imports. */
const PROGRAM = "cli";

/** Whether a file may import another; both paths are relative to the repository. */
function allowed(file: string, imported: string): boolean {
  const [tree, folder] = file.split("/");
  const [importedTree, importedFolder] = imported.split("/");
  if (tree === "studio") {
    if (importedTree === "src") return importedFolder !== PROGRAM && STUDIO.indexOf(folder) > 0;
    return importedTree === "studio" && STUDIO.indexOf(importedFolder) >= STUDIO.indexOf(folder);
  }
  if (tree === "bench")
    return importedTree === "bench" || (importedTree === "src" && importedFolder !== PROGRAM);
  if (importedTree === "bench") return folder === PROGRAM;
  if (importedTree !== "src") return false;
  if (ROOFS.includes(folder) || FOUNDATIONS.includes(importedFolder)) return true;
  return FOLDERS.includes(folder) && FOLDERS.indexOf(importedFolder) >= FOLDERS.indexOf(folder);
}

/** The files of this repository that a file imports, types and dynamic imports included. */
function imports(file: string): string[] {
  return ts
    .preProcessFile(readFileSync(join(root, file), "utf8"))
    .importedFiles.map(({ fileName }) => fileName)
    .filter((name) => name.startsWith(".") && !name.endsWith(".css"))
    .map((name) => relative(root, join(root, dirname(file), name)))
    .map((name) => SOURCES.map((end) => name.replace(/\.js$/, end)).find((own) => existing.has(own)) ?? name);
}

const SOURCES = [".ts", ".tsx"];
const files = ["src", "studio", "bench"].flatMap((tree) =>
  readdirSync(join(root, tree), { recursive: true, encoding: "utf8" })
    .map((file) => `${tree}/${file.replaceAll("\\", "/")}`)
    .filter((file) => /\.tsx?$/.test(file) && !/\.test\.ts$|\.d\.ts$|vite\.config|absent/.test(file)),
);
const existing = new Set(files);

it("has no folder that the house does not name", () => {
  const of = (tree: string) =>
    new Set(files.filter((f) => f.startsWith(`${tree}/`)).map((f) => f.split("/")[1]));
  expect([...of("src")].filter((p) => ![...FOLDERS, ...FOUNDATIONS, ...ROOFS].includes(p))).toEqual([]);
  expect([...of("studio")].filter((p) => !STUDIO.includes(p))).toEqual([]);
});

it("imports downwards only", () => {
  expect(files.length).toBeGreaterThan(300);
  const offences = files.flatMap((file) =>
    imports(file)
      .filter((imported) => !allowed(file, imported))
      .map((imported) => `${file} imports ${imported}`),
  );
  expect(offences).toEqual([]);
});

it("has no circles", () => {
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]) => {
    const at = path.indexOf(file);
    if (at >= 0) circles.push([...path.slice(at), file].join(" -> "));
    if (at >= 0 || done.has(file)) return;
    for (const imported of imports(file)) if (existing.has(imported)) visit(imported, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  expect(circles).toEqual([]);
});

it.each([
  ["src/flows/flow.ts", "src/model/random.ts", true],
  ["src/model/random.ts", "src/errors.ts", true],
  ["src/model/random.ts", "src/activations/tanh.ts", false],
  ["src/errors.ts", "src/table.ts", true],
  ["src/errors.ts", "src/model/random.ts", false],
  ["src/data/csv.ts", "src/plots/png.ts", false],
  ["src/reports/report.ts", "src/plots/png.ts", true],
  ["src/reports/report.ts", "src/presets/presets.ts", false],
  ["src/index.ts", "src/training/train.ts", true],
  ["src/training/train.ts", "src/index.ts", false],
  ["src/cli/bench.ts", "bench/kernels.ts", true],
  ["bench/kernels.ts", "src/cli/bench.ts", false],
  ["studio/pages/train/page.tsx", "studio/models/csv.ts", true],
  ["studio/models/csv.ts", "studio/pages/train/page.tsx", false],
  ["studio/plots/plot.tsx", "studio/app/app.tsx", false],
  ["studio/models/csv.ts", "src/cli/train.ts", false],
  ["src/flows/flow.ts", "studio/library.ts", false],
  ["src/flows/flow.ts", "bench/kernels.ts", false],
  ["src/flows/flow.ts", "test/golden/golden.ts", false],
])("judges that %s imports %s: %s", (file, imported, verdict) => {
  expect(allowed(file, imported)).toBe(verdict);
});

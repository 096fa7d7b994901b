/** A copy of the working tree to plant errors in, and which of its tests concern which of its files. */
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import ts from "typescript";

/** What is built and not in git, but needed by tests. */
const BUILT = ["src/engine/wasm/binaries.ts", "kernels/generated", "dist"];

/** Copies all files that git knows or would take, with what was built from them; packages are those of the tree. */
export function copyTree(root: string, to: string): void {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  for (const file of listed.split("\0")) {
    if (!file || file.startsWith("docs/") || !existsSync(join(root, file))) continue;
    mkdirSync(dirname(join(to, file)), { recursive: true });
    copyFileSync(join(root, file), join(to, file));
  }
  for (const built of BUILT) {
    if (!existsSync(join(root, built))) throw new Error(`${built} is not there: npm run build comes first`);
    cpSync(join(root, built), join(to, built), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(to, "node_modules"));
}

/** A source file, and the module that the built program has of it: errors are planted in both. */
export function writeSource(tree: string, file: string, text: string): void {
  writeFileSync(join(tree, file), text);
  if (!file.startsWith("src/")) return;
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
  const { outputText } = ts.transpileModule(text, { compilerOptions });
  const built = join(tree, "dist", file.replace(/\.ts$/, ".js"));
  // What was built before a file moved holds it elsewhere.
  mkdirSync(dirname(built), { recursive: true });
  writeFileSync(built, outputText);
}

/** Tests of the built program, for what only processes use. */
export const BY_PROGRAM: [files: string[], tests: string[]][] = [
  [
    ["runs/run", "runs/checkpoint", "runs/train-run", "runs/interruption", "training/train"],
    ["resume", "broken-runs", "commands"],
  ],
  [
    ["files", "flows/model-files", "flows/safetensors", "flows/declaration", "flows/model-encoding"],
    ["broken-runs"],
  ],
];

/** The folder of a file's own tests: those of kernels stand beside the engine that calls them. */
export const folderOf = (file: string) => (file.startsWith("kernels/") ? "src/engine" : dirname(file));

const IMPORT = /(?:from|import)\s*\(?\s*"(\.[^"]+)"/g;

export class Related {
  readonly #tree: string;
  readonly #imports = new Map<string, string[]>();
  readonly #tests: string[];
  readonly #program: boolean;

  /** `program`: with tests of the built program, which take a minute each. */
  constructor(tree: string, tests: readonly string[], program: boolean) {
    this.#tree = tree;
    this.#tests = [...tests];
    this.#program = program;
  }

  /** The files that a file imports, itself included. */
  #closure(file: string): Set<string> {
    const reached = new Set<string>();
    const open = [file];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (reached.has(next)) continue;
      reached.add(next);
      open.push(...this.#importsOf(next));
    }
    return reached;
  }

  #importsOf(file: string): string[] {
    const known = this.#imports.get(file);
    if (known) return known;
    const text = existsSync(join(this.#tree, file)) ? readFileSync(join(this.#tree, file), "utf8") : "";
    const found = [...text.matchAll(IMPORT)].map(([, path]) =>
      relative(this.#tree, join(this.#tree, dirname(file), path.replace(/\.js$/, ".ts"))),
    );
    this.#imports.set(file, found);
    return found;
  }

  /** Tests that the file can fail: its own, then the others, the fastest first, and sooner if they are in its folder. */
  testsOf(file: string, seconds: (test: string) => number): string[] {
    // Kernels are reached through the engine that calls them.
    const reached = file.startsWith("kernels/") ? "src/engine/wasm/engine.ts" : file;
    const folder = folderOf(file);
    const own = file.startsWith("kernels/") ? `${folder}/kernels.test.ts` : file.replace(/\.ts$/, ".test.ts");
    const rank = (test: string) => (test === own ? -1 : (dirname(test) === folder ? 1 : 3) * seconds(test));
    const near = this.#tests
      .filter((test) => this.#closure(test).has(reached))
      .sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
    const programs =
      (this.#program && BY_PROGRAM.find(([files]) => files.some((name) => file === `src/${name}.ts`))?.[1]) ||
      [];
    return [...near, ...programs.map((name) => `test/cli/${name}.test.ts`)];
  }
}

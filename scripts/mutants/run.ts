/**
 * `npm run mutants`: plants errors in the core, one at a time, and lists those that no test notices.
 *
 *   npm run mutants -- [--planted] [--sample 200] [--seed 0] [--folder src/logdet]... [--jobs 1] [--far 100]
 *                     [--program] [--again] [--out mutants]
 *
 * What can be planted is in `mutations.ts`; a sample of it is drawn by the seed from the folders of the core, in which an
 * error stays where it is when others around it change. `--planted` plants instead the errors that were once found to pass
 * all tests (`planted.ts`). Errors that the compiler refuses are not counted. Each one runs the tests that can reach its
 * file, the nearest first, until one fails or hangs: those of its folder, of others what takes `--far` seconds in all, and
 * with `--program` those of the built command line, where only it uses a file.
 *
 * Results are lines in OUT/results.jsonl, one an error; a run that was stopped goes on from there, and `--again` forgets
 * what survived. Why a survivor does no harm stands in `survivors.json`: `equivalent` ones cannot change any result, and are
 * not counted as errors; `harmless` ones change what no promise is made of (how long something takes, the wording of a
 * limit). Exit code 0: every survivor is explained and fewer than 5% of the errors survive; 1: not so.
 *
 * (StrykerJS plants errors in one instrumented program; it knows neither kernels that are compiled from the sources nor the
 * tests of the built command line, so this is a tool of its own.)
 */

import { createHash } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { type Mutation, mutated, mutationsIn } from "./mutations.ts";
import { plantedErrors } from "./planted.ts";
import { folderOf, Related } from "./tree.ts";
import { Types } from "./types.ts";
import { type Outcome, Worker } from "./worker.ts";

const CORE = [
  "bases",
  "preprocessing",
  "bijections",
  "logdet",
  "solvers",
  "networks",
  "training",
  "runs",
  "flows",
].map((name) => `src/${name}`);
const FOLDERS = [...CORE, "kernels"];
/** Tests of single modules; those of the program join in where only it uses a file. */
const TESTS = ["src", "test/golden"];
const MOST_SURVIVORS = 0.05;

interface Result extends Outcome, Omit<Mutation, "start" | "end"> {}
interface Explanation {
  kind: "equivalent" | "harmless";
  reason: string;
  /** Each with the key of a mutation. */
  survivors: string[];
}

const { values: options } = parseArgs({
  options: {
    planted: { type: "boolean", default: false },
    sample: { type: "string", default: "200" },
    seed: { type: "string", default: "0" },
    folder: { type: "string", multiple: true },
    jobs: { type: "string", default: "1" },
    far: { type: "string", default: "100" },
    out: { type: "string", default: "mutants" },
    program: { type: "boolean", default: false },
    again: { type: "boolean", default: false },
  },
});
const root = process.cwd();
const folders = options.folder ?? FOLDERS;

const filesUnder = (folder: string, fits: (name: string) => boolean): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => fits(name))
    .map((name) => join(folder, name))
    .sort();
const sourcesUnder = (path: string) =>
  path.endsWith(".ts")
    ? [path]
    : filesUnder(path, (name) => /\.ts$/.test(name) && !/\.test\.ts$|^generated|(^|\/)index\.ts$/.test(name));

const types = new Types(root);

function candidates(): Mutation[] {
  const { folder: only } = options;
  if (options.planted)
    return plantedErrors(root).filter(({ file }) => !only || only.some((folder) => file.startsWith(folder)));
  const all = folders.flatMap(sourcesUnder).flatMap((file) => {
    const { tree, sameType } = types.source(file);
    return mutationsIn(tree, file, sameType);
  });
  const order = (key: string) => createHash("sha1").update(`${options.seed} ${key}`).digest("hex");
  const ordered = new Map(all.map((mutation) => [mutation, order(mutation.key)]));
  return all.sort((a, b) => (ordered.get(a)! < ordered.get(b)! ? -1 : 1));
}

const out = options.out;
mkdirSync(out, { recursive: true });
const resultsFile = join(out, "results.jsonl");
const secondsFile = join(out, "seconds.json");
const results = new Map<string, Result>();
if (existsSync(resultsFile)) {
  for (const line of readFileSync(resultsFile, "utf8").split("\n")) {
    if (!line) continue;
    const result: Result = JSON.parse(line);
    if (options.again && result.status === "survived") results.delete(result.key);
    else results.set(result.key, result);
  }
}

// The sample: as many as the compiler takes.
const wanted = options.planted ? Number.POSITIVE_INFINITY : Number(options.sample);
const sample: Mutation[] = [];
for (const mutation of candidates()) {
  if (sample.length >= wanted) break;
  if (results.get(mutation.key)?.status === "invalid") continue;
  const { file } = mutation;
  const text = mutated(readFileSync(join(root, file), "utf8"), mutation);
  if (results.has(mutation.key) || !file.startsWith("src/") || types.accept(file, text))
    sample.push(mutation);
  else if (options.planted) throw new Error(`${mutation.operator} does not compile in ${file}`);
}
const todo = sample.filter(({ key }) => !results.has(key));
process.stderr.write(`${sample.length} errors, ${todo.length} of them to be planted\n`);

const place = mkdtempSync(join(tmpdir(), "mutants-"));
process.on("exit", () => rmSync(place, { recursive: true, force: true }));
const workers =
  todo.length === 0
    ? []
    : Array.from({ length: Number(options.jobs) }, (_, i) => new Worker(root, join(place, String(i))));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    for (const worker of workers) worker.end();
    process.exit(1);
  });
}

const tests = TESTS.flatMap((folder) => filesUnder(folder, (name) => name.endsWith(".test.ts")));
const related = new Related(root, tests, options.program);
const seconds: Record<string, number> = existsSync(secondsFile)
  ? JSON.parse(readFileSync(secondsFile, "utf8"))
  : {};
const secondsOf = (test: string) => seconds[test] ?? 0;

/** Tests that fail without an error in the tree: they cannot judge one. */
const failing = new Set<string>();

/** Every test that will be needed, once without an error: it shows how long it takes, and that it passes. */
async function measure(): Promise<void> {
  const needed = new Set(todo.flatMap(({ file }) => related.testsOf(file, secondsOf)));
  for (const test of needed) {
    if (test in seconds) continue;
    const verdict = await workers[0].test(test, 600);
    if (!verdict || verdict.failed) {
      failing.add(test);
      console.log(`${test} is left out, it fails as it is: ${verdict?.failed?.name ?? "it does not end"}`);
      continue;
    }
    seconds[test] = verdict.seconds;
    writeFileSync(secondsFile, JSON.stringify(seconds, null, 2));
    process.stderr.write(`${verdict.seconds.toFixed(1).padStart(6)} s  ${test}\n`);
  }
}

/** A survivor shows something only if tests run on the text that was planted: one of them has to notice. */
async function tryOut(worker: Worker): Promise<void> {
  for (const { file } of todo) {
    const some = file.startsWith("src/") ? testsFor(file) : [];
    if (some.length === 0) continue;
    // Some import the file for its types alone.
    for (const test of some) if (await worker.sees(file, test)) return;
    throw new Error(`all tests pass although ${file} cannot be loaded: nothing planted here is seen`);
  }
}

/** The tests for an error in a file: those of its folder, and of the others as many as end within `--far` seconds. */
function testsFor(file: string): string[] {
  let far = 0;
  return related.testsOf(file, secondsOf).filter((test) => {
    if (failing.has(test)) return false;
    if (dirname(test) === folderOf(file)) return true;
    far += secondsOf(test);
    return far <= Number(options.far);
  });
}

async function work(worker: Worker): Promise<void> {
  for (let mutation = todo.shift(); mutation; mutation = todo.shift()) {
    const outcome = await worker.plant(mutation, testsFor(mutation.file), secondsOf);
    const { start: _, end: __, ...rest } = mutation;
    const result: Result = { ...rest, ...outcome };
    results.set(mutation.key, result);
    appendFileSync(resultsFile, `${JSON.stringify(result)}\n`);
    process.stderr.write(`${describe(result)}\n`);
  }
}

const short = (text: string) => text.replace(/\s+/g, " ").slice(0, 70);
const describe = ({ status, file, line, operator, before, after, by, seconds: s }: Result) =>
  `${status.padEnd(8)} ${s.toFixed(0).padStart(4)} s  ${file}:${line}  ${operator}: ${short(before)} -> ${short(after)}${by ? `   (${by})` : ""}`;

if (todo.length > 0) await measure();
await Promise.all(workers.map(tryOut));
await Promise.all(workers.map(work));
for (const worker of workers) worker.end();

const explanations: Explanation[] = JSON.parse(
  readFileSync(new URL("./survivors.json", import.meta.url), "utf8"),
);
const explained = new Map(explanations.flatMap((e) => e.survivors.map((key) => [key, e] as const)));

/** Counts of one folder, or of all. */
function row(name: string, part: readonly Result[]): (string | number)[] {
  const of = (fits: (r: Result) => boolean) => part.filter(fits).length;
  const equivalent = of((r) => r.status === "survived" && explained.get(r.key)?.kind === "equivalent");
  const survived = of((r) => r.status === "survived") - equivalent;
  const unexplained = of((r) => r.status === "survived" && !explained.has(r.key));
  const errors = of((r) => r.status !== "invalid") - equivalent;
  const share = errors === 0 ? "" : `${((100 * survived) / errors).toFixed(1)}%`;
  return [
    name,
    errors,
    of((r) => r.status === "killed"),
    of((r) => r.status === "hung"),
    survived,
    share,
    unexplained,
    equivalent,
  ];
}

const done = sample.flatMap(({ key }) => results.get(key) ?? []);
const roomOf = (file: string) =>
  FOLDERS.find((folder) => file.startsWith(`${folder}/`)) ?? relative(".", file);
const names = [...new Set(done.map(({ file }) => roomOf(file)))].sort();
const total = row("all", done);
const table = [
  ["folder", "errors", "failed a test", "hung one", "survived", "share", "unexplained", "equivalent"],
  ...names.map((name) =>
    row(
      name,
      done.filter(({ file }) => roomOf(file) === name),
    ),
  ),
  total,
];
const widths = table[0].map((_, i) => Math.max(...table.map((line) => String(line[i]).length)));
for (const line of table) {
  console.log(
    line
      .map((cell, i) => (i === 0 ? String(cell).padEnd(widths[i]) : String(cell).padStart(widths[i])))
      .join("  "),
  );
}
const survivors = done.filter(({ status }) => status === "survived");
for (const result of survivors) {
  const reason = explained.get(result.key)?.reason ?? "not explained";
  console.log(
    `\n${result.file}:${result.line}  ${result.code}\n  ${short(result.before)} -> ${short(result.after)}: ${reason}`,
  );
  if (!explained.has(result.key)) console.log(`  ${JSON.stringify(result.key)}`);
}
const [, errors, , , survived, , unexplained] = total as number[];
process.exit(unexplained === 0 && survived < MOST_SURVIVORS * Math.max(1, errors) ? 0 : 1);

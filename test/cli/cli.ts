/** The built program in a temporary directory of its own: spawned, as a user has it, or in the process of the tests. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, expect, vi } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { bin } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  bin: { "monotone-flows": string };
};
export const program = join(root, bin["monotone-flows"]);

const TIMEOUT = 150_000;

export interface Result {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A new temporary directory, removed after the tests of the file. */
export function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), "monotone-flows-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function execute(file: string, args: readonly string[], cwd: string): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile(
      file,
      args,
      { cwd, timeout: TIMEOUT, maxBuffer: 2 ** 26 },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

/** Runs the program to its end. */
export function run(cwd: string, ...args: string[]): Promise<Result> {
  return execute(process.execPath, [program, ...args], cwd);
}

const built = <Module>(file: string): Promise<Module> =>
  import(pathToFileURL(join(root, "dist/src/cli", file)).href);

async function callNow(cwd: string, args: readonly string[]): Promise<Result> {
  const { programFor } = await built<typeof import("../../src/cli/program.js")>("program.js");
  const { endWith } = await built<typeof import("../../src/cli/faults.js")>("faults.js");
  const said = { stdout: "", stderr: "" };
  const listeners = (["stdout", "stderr"] as const).map((stream) =>
    vi.spyOn(process[stream], "write").mockImplementation((text) => {
      said[stream] += text;
      return true;
    }),
  );
  const home = process.cwd();
  process.chdir(cwd);
  try {
    await (await programFor(args)).parseAsync(args, { from: "user" });
    return { code: 0, ...said };
  } catch (error) {
    const code = endWith(error);
    return { code, ...said };
  } finally {
    process.chdir(home);
    for (const listener of listeners) listener.mockRestore();
  }
}

let turn: Promise<unknown> = Promise.resolve();

/**
 * What `main.ts` does, in the process of the tests, where it starts at once; calls wait for each other. Not for training:
 * the lock of a run ends with the process that took it.
 */
export function call(cwd: string, ...args: string[]): Promise<Result> {
  const result = turn.then(() => callNow(cwd, args));
  turn = result.catch(() => {});
  return result;
}

/** Runs the program where no file may grow beyond so many blocks of 512 bytes: what a full disk does. */
export function runLimited(blocks: number, cwd: string, ...args: string[]): Promise<Result> {
  const script = `ulimit -f ${blocks}; exec "$@"`;
  return execute("sh", ["-c", script, "sh", process.execPath, program, ...args], cwd);
}

/** The command with --json: expects success and exactly one JSON object on stdout, and returns it. What trains is spawned. */
// biome-ignore lint/suspicious/noExplicitAny: every command has its own fields, which the tests check
export async function json(cwd: string, ...args: string[]): Promise<any> {
  const trains = args[0] === "train" || args[0] === "bench";
  const { code, stdout, stderr } = await (trains ? run : call)(cwd, ...args, "--json");
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^\{.*\}\n$/);
  return JSON.parse(stdout);
}

/** Starts the program; `end` resolves when it has ended. */
export function start(cwd: string, ...args: string[]): { child: ChildProcess; end: Promise<Result> } {
  return startFor(TIMEOUT, cwd, ...args);
}

/** The same, killed after so many milliseconds. */
export function startFor(
  timeout: number,
  cwd: string,
  ...args: string[]
): { child: ChildProcess; end: Promise<Result> } {
  return startIn(timeout, process.env, cwd, args);
}

/** The same as `start`, with more in its environment. */
export const startWith = (more: NodeJS.ProcessEnv, cwd: string, ...args: string[]) =>
  startIn(TIMEOUT, { ...process.env, ...more }, cwd, args);

function startIn(
  timeout: number,
  env: NodeJS.ProcessEnv,
  cwd: string,
  args: readonly string[],
): { child: ChildProcess; end: Promise<Result> } {
  const child = spawn(process.execPath, [program, ...args], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (data) => {
    stdout += data;
  });
  child.stderr.on("data", (data) => {
    stderr += data;
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), timeout);
  const end = new Promise<Result>((resolve) => {
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
  return { child, end };
}

/** Expects one sentence on one line of stderr that matches, nothing on stdout, and that exit code. */
export function expectComplaint(result: Result, pattern: RegExp, code = 2): void {
  expect(result.stderr).toMatch(pattern);
  expect(result.stderr).toMatch(/^monotone-flows: [^\n]+\n$/);
  expect(result.stdout).toBe("");
  expect(result.code).toBe(code);
}

/** Everything under a folder: paths of folders, and of files with a hash of their bytes. */
export function snapshot(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => {
      const path = join(folder, name);
      if (statSync(path).isDirectory()) return `${name}/`;
      return `${name} ${createHash("sha256").update(readFileSync(path)).digest("hex")}`;
    })
    .sort();
}

/** Paths of the files under a folder, relative to it. */
export function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(folder, name)).isFile())
    .map((name) => relative(folder, join(folder, name)))
    .sort();
}

export interface TableOptions {
  columns: number;
  rows?: number;
  header?: boolean;
  /** Factors of the columns. */
  scale?: readonly number[];
}

/** Writes a CSV of dependent, skewed columns with means and sizes of their own; the same numbers every time. */
export function writeTable(
  path: string,
  { columns, rows = 120, header = true, scale = [] }: TableOptions,
): string {
  let state = 12345;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const lines = header ? [Array.from({ length: columns }, (_, j) => `c${j + 1}`).join(",")] : [];
  for (let i = 0; i < rows; i++) {
    const common = uniform();
    const row = Array.from(
      { length: columns },
      (_, j) => (scale[j] ?? 1) * (7 * j - 3 + (1 + j) * (common ** 2 + uniform())),
    );
    lines.push(row.join(","));
  }
  writeFileSync(path, `${lines.join("\n")}\n`);
  return path;
}

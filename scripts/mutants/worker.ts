/** Plants errors in a copy of the tree, one at a time, and looks for a test that notices. */
import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Order, Verdict } from "./executor.ts";
import { type Mutation, mutated } from "./mutations.ts";
import { copyTree, writeSource } from "./tree.ts";

export interface Outcome {
  /** `invalid`: the compiler refuses it. */
  status: "killed" | "hung" | "survived" | "invalid";
  /** The test that noticed, and what it said. */
  by?: string;
  message?: string;
  seconds: number;
}

const EXECUTOR = fileURLToPath(new URL("./executor.ts", import.meta.url));
const BINARIES = "src/engine/wasm/binaries.ts";

/** How long a test may take, in seconds, if it takes so many without an error: then it hangs. */
const patience = (seconds: number) => Math.max(40, 10 * seconds);

function kill(child: ChildProcess | null): void {
  if (child?.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

export class Worker {
  readonly #tree: string;
  #executor: ChildProcess | null = null;
  #builder: ChildProcess | null = null;
  /** Files that Vitest has to read again. */
  readonly #changed = new Set<string>();

  constructor(root: string, tree: string) {
    copyTree(root, tree);
    this.#tree = tree;
  }

  /** A process in the tree, in a group of its own, that has said that it is ready. */
  async #forked(script: string): Promise<ChildProcess> {
    const child = fork(script, [], {
      cwd: this.#tree,
      execArgv: ["--import", "tsx"],
      detached: true,
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    await new Promise<void>((resolve, reject) => {
      child.once("message", () => resolve());
      child.once("exit", (code) =>
        reject(new Error(`${script} ended with code ${code} before it was ready`)),
      );
    });
    return child;
  }

  async #start(): Promise<ChildProcess> {
    this.#executor ??= await this.#forked(EXECUTOR);
    return this.#executor;
  }

  /** Ends Vitest with all that it has started. */
  #stop(): void {
    kill(this.#executor);
    this.#executor = null;
  }

  end(): void {
    this.#stop();
    kill(this.#builder);
    this.#builder = null;
  }

  #write(file: string, text: string): void {
    writeSource(this.#tree, file, text);
    this.#changed.add(join(this.#tree, file));
  }

  #read(file: string): string {
    return readFileSync(join(this.#tree, file), "utf8");
  }

  /** Runs one test file; null if it does not end within so many seconds. */
  async test(test: string, limit: number): Promise<Verdict | null> {
    const child = await this.#start();
    const order: Order = { changed: [...this.#changed], test: join(this.#tree, test) };
    this.#changed.clear();
    const verdict = await new Promise<Verdict | null>((resolve) => {
      const timer = setTimeout(() => resolve(null), 1000 * limit);
      const done = (result: Verdict | null) => {
        clearTimeout(timer);
        child.off("message", done);
        child.off("exit", gone);
        resolve(result);
      };
      const gone = () => done(null);
      child.on("message", done);
      child.on("exit", gone);
      child.send(order);
    });
    if (verdict === null) this.#stop();
    return verdict;
  }

  /** The kernels anew; false if they do not compile. */
  async #build(): Promise<boolean> {
    this.#builder ??= await this.#forked(join(this.#tree, "scripts/mutants/builder.ts"));
    const child = this.#builder;
    const built = await new Promise<boolean>((resolve) => {
      child.once("message", (done) => resolve(done === true));
      child.once("exit", () => resolve(false));
      child.send("build");
    });
    child.removeAllListeners();
    if (child.exitCode !== null) this.#builder = null;
    if (built) this.#write(BINARIES, this.#read(BINARIES));
    return built;
  }

  /** Whether a test notices that a file cannot be loaded: where it does not, tests run on what was there before. */
  async sees(file: string, test: string): Promise<boolean> {
    const text = this.#read(file);
    this.#write(file, `${text}\nthrow new Error("planted");\n`);
    const verdict = await this.test(test, 600);
    this.#write(file, text);
    return verdict?.failed != null;
  }

  /** Plants one error and runs tests until one notices. */
  async plant(
    mutation: Mutation,
    tests: readonly string[],
    seconds: (test: string) => number,
  ): Promise<Outcome> {
    const began = performance.now();
    const { file } = mutation;
    const kernels = file.startsWith("kernels/");
    const [text, binaries] = [this.#read(file), this.#read(BINARIES)];
    const outcome = (status: Outcome["status"], more: Partial<Outcome> = {}): Outcome => ({
      status,
      ...more,
      seconds: (performance.now() - began) / 1000,
    });
    try {
      this.#write(file, mutated(text, mutation));
      if (kernels && !(await this.#build())) return outcome("invalid");
      for (const test of tests) {
        const verdict = await this.test(test, patience(seconds(test)));
        if (verdict === null) return outcome("hung", { by: test });
        const { failed } = verdict;
        if (!failed) continue;
        return outcome("killed", { by: `${test}: ${failed.name}`, message: failed.message.slice(0, 300) });
      }
      return outcome("survived");
    } finally {
      this.#write(file, text);
      if (kernels) this.#write(BINARIES, binaries);
    }
  }
}

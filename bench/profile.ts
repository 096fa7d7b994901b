/** Where the time of a training step goes: every kernel, by phase, on one rank. */
import { toySource } from "../src/data/source.js";
import { alone } from "../src/engine/communicator.js";
import { WasmEngine } from "../src/engine/wasm/engine.js";
import { preset } from "../src/experiments/presets.js";
import { monotoneFlow } from "../src/flows/declaration.js";
import { Flow } from "../src/flows/flow.js";
import { Trainer } from "../src/training/trainer.js";
import { median } from "./training.js";

/** The parts of a step; `host` is all that is not in the others: drawing samples, checks, sums over ranks, Adam. */
const PHASES = ["forward", "backward", "power iteration", "weights", "gradients", "host"] as const;
type Phase = (typeof PHASES)[number];
const BETWEEN = "between kernels";

export interface ProfileRow {
  phase: Phase;
  /** A kernel of the engine, or `BETWEEN`: the TypeScript around them. */
  kernel: string;
  /** A step. */
  ms: number;
  calls: number;
}

export interface Profile {
  preset: string;
  /** Steps of training before the measurement, and steps that were measured. */
  warmUp: number;
  steps: number;
  /** Median of untimed steps, and the mean of those that are timed kernel by kernel. */
  msPerStep: number;
  msPerTimedStep: number;
  evaluations: number;
  rows: ProfileRow[];
}

/** Books the time between any two calls to what was going on meanwhile. */
class Stopwatch {
  readonly #spent = new Map<string, { ms: number; calls: number }>();
  #phase: Phase = "host";
  #last = performance.now();

  #book(kernel: string, calls: number): void {
    const now = performance.now();
    const key = `${this.#phase}/${kernel}`;
    const entry = this.#spent.get(key) ?? { ms: 0, calls: 0 };
    entry.ms += now - this.#last;
    entry.calls += calls;
    this.#spent.set(key, entry);
    this.#last = now;
  }

  kernel<T>(name: string, run: () => T): T {
    this.#book(BETWEEN, 0);
    const result = run();
    this.#book(name, 1);
    return result;
  }

  phase<T>(phase: Phase, run: () => T): T {
    this.#book(BETWEEN, 0);
    const before = this.#phase;
    this.#phase = phase;
    const end = () => {
      this.#book(BETWEEN, 0);
      this.#phase = before;
    };
    const result = run();
    if (result instanceof Promise) return result.finally(end) as T;
    end();
    return result;
  }

  rows(steps: number): ProfileRow[] {
    this.#book(BETWEEN, 0);
    return [...this.#spent]
      .map(([key, { ms, calls }]) => {
        const [phase, kernel] = key.split("/");
        return { phase: phase as Phase, kernel, ms: ms / steps, calls: calls / steps };
      })
      .sort((a, b) => PHASES.indexOf(a.phase) - PHASES.indexOf(b.phase) || b.ms - a.ms);
  }
}

type Method = (...args: unknown[]) => unknown;

/** Replaces a method of one object by the same under a stopwatch. */
function watch(object: object, name: string, around: (run: () => unknown) => unknown): void {
  const methods = object as Record<string, Method | undefined>;
  const method = methods[name];
  if (method) methods[name] = (...args) => around(() => method.apply(object, args));
}

/** Trains the preset on 2spirals, and takes the time of every kernel in the last `steps` steps. */
export async function benchProfile(
  name: string,
  { warmUp = 1500, steps = 200, seed = 0 } = {},
): Promise<Profile> {
  const { flow: options, training } = preset(name);
  const engine = await WasmEngine.create();
  const flow = await Flow.create(monotoneFlow({ ...options, dim: 2 }), { engine, seed });
  const total = warmUp + 2 * steps;
  const trainer = new Trainer(flow, toySource("2spirals"), { ...training, seed, steps: total }, alone);
  while (trainer.step < warmUp) await trainer.advance();
  const times: number[] = [];
  let evaluations = 0;
  while (trainer.step < warmUp + steps) {
    const began = performance.now();
    evaluations += (await trainer.advance()).evaluations / steps;
    times.push(performance.now() - began);
  }

  const stopwatch = new Stopwatch();
  const kernels = Object.getOwnPropertyNames(WasmEngine.prototype).filter(
    (kernel) => !["constructor", "tensor", "newtonStatus"].includes(kernel),
  );
  for (const kernel of kernels) watch(engine, kernel, (run) => stopwatch.kernel(kernel, run));
  watch(flow, "forwardPass", (run) => stopwatch.phase("forward", run));
  watch(flow, "backwardPass", (run) => stopwatch.phase("backward", run));
  watch(flow, "prepare", (run) => stopwatch.phase("weights", run));
  watch(flow, "collectGradient", (run) => stopwatch.phase("gradients", run));
  for (const b of flow.bijections) watch(b, "iterate", (run) => stopwatch.phase("power iteration", run));
  const began = performance.now();
  while (trainer.step < total) await trainer.advance();
  return {
    preset: name,
    warmUp,
    steps,
    msPerStep: median(times),
    msPerTimedStep: (performance.now() - began) / steps,
    evaluations,
    rows: stopwatch.rows(steps),
  };
}

/** The profile as lines of text: a total for every phase, and its kernels that take a hundredth of a step or more. */
export function profileReport({
  preset,
  warmUp,
  msPerStep,
  msPerTimedStep,
  evaluations,
  rows,
}: Profile): string[] {
  const line = (name: string, ms: number, calls = "") =>
    `${name.padEnd(26)}${ms.toFixed(3).padStart(9)} ms ${((100 * ms) / msPerTimedStep).toFixed(1).padStart(5)}% ${calls}`;
  return [
    `${preset} on 2spirals after ${warmUp} steps, one thread: ${msPerStep.toFixed(2)} ms a step (median), ` +
      `${evaluations.toFixed(2)} network evaluations a solve; ${msPerTimedStep.toFixed(2)} ms with the timers`,
    ...PHASES.flatMap((phase) => {
      const own = rows.filter((row) => row.phase === phase);
      const sum = own.reduce((total, { ms }) => total + ms, 0);
      const large = own.filter(
        ({ ms, kernel }) => ms >= 0.01 * msPerTimedStep && (own.length > 1 || kernel !== BETWEEN),
      );
      return [
        line(phase, sum),
        ...large.map(({ kernel, ms, calls }) =>
          line(`  ${kernel}`, ms, calls > 0 ? `${calls.toFixed(0)} calls` : ""),
        ),
      ];
    }),
  ];
}

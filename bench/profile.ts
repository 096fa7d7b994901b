/** Where the time of a training step goes: every kernel, by phase, on one rank. */
import { toySource } from "../src/data/source.js";
import { WasmEngine } from "../src/engine/wasm/engine.js";
import { Flow } from "../src/flows/flow.js";
import { monotoneFlow } from "../src/flows/monotone-flow.js";
import { median } from "../src/plots/quantile.js";
import { imagePresets } from "../src/presets/image-presets.js";
import { preset } from "../src/presets/presets.js";
import { alone } from "../src/ranks/communicator.js";
import { createTrainer } from "../src/training/job.js";
import { Trainer } from "../src/training/trainer.js";
import { withImageJob } from "./images.js";

/** The parts of a step; `host` is all that is not in the others: drawing samples, checks, sums over ranks, Adam. */
const PHASES = [
  "forward",
  "backward",
  // Of images, what blocks do in these two.
  "solve",
  "series",
  "jet backward",
  "transposed solve",
  "weights backward",
  "power iteration",
  "weights",
  "gradients",
  "images",
  "host",
] as const;
/** The phases that methods of a block's regime are. */
const REGIME = {
  solve: "solve",
  addLogDet: "series",
  logDetBackward: "jet backward",
  solveTransposed: "transposed solve",
  finish: "weights backward",
} as const;
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
  /** What it was trained on. */
  data: string;
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
  if (method === undefined) throw new Error(`there is no method ${name} to be watched`);
  methods[name] = (...args) => around(() => method.apply(object, args));
}

/** Steps of training before the measurement, and of the measurement, where nothing else is said. */
const defaults = { toy: { warmUp: 1500, steps: 200 }, images: { warmUp: 3, steps: 3 } };

export interface ProfileOptions {
  warmUp?: number | undefined;
  steps?: number | undefined;
  seed?: number | undefined;
  /** The folder of an image preset's data (default: random images). */
  dataDir?: string | undefined;
}

/** Trains the preset on 2spirals or on images, and takes the time of every kernel in the last `steps` steps. */
export async function benchProfile(name: string, options: ProfileOptions = {}): Promise<Profile> {
  const images = Object.hasOwn(imagePresets, name);
  const { warmUp, steps } = defaults[images ? "images" : "toy"];
  const counts = { warmUp: options.warmUp ?? warmUp, steps: options.steps ?? steps };
  const total = counts.warmUp + 2 * counts.steps;
  if (images) {
    return await withImageJob(name, total, options, async (job, { name: data }) =>
      profile(await createTrainer(job, alone), { preset: name, data, ...counts }),
    );
  }
  const { seed = 0 } = options;
  const { flow: declared, training } = preset(name);
  const engine = await WasmEngine.create();
  const flow = await Flow.create(monotoneFlow({ ...declared, dim: 2 }), { engine, seed });
  const trainer = new Trainer(flow, toySource("2spirals"), { ...training, seed, steps: total }, alone);
  return await profile(trainer, { preset: name, data: "2spirals", ...counts });
}

async function profile(
  trainer: Trainer,
  own: { preset: string; data: string; warmUp: number; steps: number },
): Promise<Profile> {
  const { warmUp, steps } = own;
  const { flow } = trainer;
  const { engine } = flow;
  const total = warmUp + 2 * steps;
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
  for (const { block } of flow.blocks) {
    if (!flow.declaration.estimator) continue;
    const { regime } = block as unknown as { regime: object };
    for (const [method, phase] of Object.entries(REGIME)) {
      if (method in regime) watch(regime, method, (run) => stopwatch.phase(phase, run));
    }
  }
  watch(flow, "enter", (run) => stopwatch.phase("images", run));
  watch(flow.chain, "forward", (run) => stopwatch.phase("forward", run));
  watch(flow.chain, "backward", (run) => stopwatch.phase("backward", run));
  watch(flow, "prepare", (run) => stopwatch.phase("weights", run));
  watch(flow.gradients, "takeGradient", (run) => stopwatch.phase("gradients", run));
  watch(flow.gradients, "pullBack", (run) => stopwatch.phase("gradients", run));
  for (const b of flow.chain.bijections) {
    if ("iterate" in b) watch(b, "iterate", (run) => stopwatch.phase("power iteration", run));
  }
  const began = performance.now();
  while (trainer.step < total) await trainer.advance();
  return {
    ...own,
    msPerStep: median(times),
    msPerTimedStep: (performance.now() - began) / steps,
    evaluations,
    rows: stopwatch.rows(steps),
  };
}

/** The profile as lines of text: a total for every phase, and its kernels that take a hundredth of a step or more. */
export function profileReport({
  preset,
  data,
  warmUp,
  msPerStep,
  msPerTimedStep,
  evaluations,
  rows,
}: Profile): string[] {
  const line = (name: string, ms: number, calls = "") =>
    `${name.padEnd(26)}${ms.toFixed(3).padStart(9)} ms ${((100 * ms) / msPerTimedStep).toFixed(1).padStart(5)}% ${calls}`;
  return [
    `${preset} on ${data} after ${warmUp} steps, one thread: ${msPerStep.toFixed(2)} ms a step (median), ` +
      `${evaluations.toFixed(2)} network evaluations a solve; ${msPerTimedStep.toFixed(2)} ms with the timers`,
    ...PHASES.flatMap((phase) => {
      const own = rows.filter((row) => row.phase === phase);
      if (own.length === 0) return [];
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

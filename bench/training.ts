/** Milliseconds a training step of a preset takes (the median after a warm-up), and the loss that is reached. */
import { toySource } from "../src/data/source.js";
import { monotoneFlow } from "../src/flows/monotone-flow.js";
import { median } from "../src/plots/quantile.js";
import { preset } from "../src/presets/presets.js";
import { evaluate } from "../src/training/evaluate.js";
import { train } from "../src/training/train.js";

const WARM_UP = 50;
const TEST_SAMPLES = 10_000;
/** Steps between two looks at the test loss, where seconds to a target are asked for. */
const TARGET_EVERY = 250;

export interface TrainingBenchmark {
  preset: string;
  threads: number;
  steps: number;
  /** Median milliseconds a step, over all steps after the warm-up, and over the last 100. */
  msPerStep: number;
  msPerStepLate: number;
  fastest: number;
  slowest: number;
  /** Network evaluations a solve, at the end. */
  evaluations: number;
  /** Nats on 10,000 fresh samples after all steps. */
  testLoss: number;
  /** Seconds of training until the test loss was first at or below each target (null: never). */
  secondsTo: Record<string, number | null>;
  /** Largest resident memory of the process so far, in MB. */
  peakMemoryMB: number;
}

/** Trains the preset on 2spirals for `steps` steps after the warm-up, or until the last target is reached. */
export async function benchTraining(
  name: string,
  threads: number,
  steps: number,
  { seed = 0, targets = [] as readonly number[] } = {},
): Promise<TrainingBenchmark> {
  const { flow, training } = preset(name);
  const tests = toySource("2spirals").test(seed, TEST_SAMPLES);
  const times: number[] = [];
  const secondsTo: Record<string, number | null> = Object.fromEntries(
    targets.map((t) => [t.toFixed(2), null]),
  );
  let evaluations = 0;
  let last = performance.now();
  const { trainer } = await train(
    {
      data: { kind: "toy", name: "2spirals" },
      declaration: monotoneFlow({ ...flow, dim: 2 }),
      options: { ...training, seed, steps: WARM_UP + steps },
      state: null,
    },
    threads,
    {
      async onStep(trainer, result) {
        times.push(performance.now() - last);
        evaluations = result.evaluations;
        if (targets.length > 0 && trainer.step % TARGET_EVERY === 0) {
          trainer.flow.prepare();
          const { loss } = await evaluate(trainer.flow, tests);
          for (const target of targets) {
            const key = target.toFixed(2);
            if (loss <= target) secondsTo[key] ??= times.reduce((a, b) => a + b, 0) / 1000;
          }
        }
        last = performance.now();
        return targets.length > 0 && Object.values(secondsTo).every((seconds) => seconds !== null);
      },
    },
  );
  const late = median(times.slice(-100));
  const counted = times.slice(WARM_UP).sort((a, b) => a - b);
  await trainer.flow.convergeNorms();
  return {
    preset: name,
    threads,
    steps: counted.length,
    msPerStep: median(counted),
    msPerStepLate: late,
    fastest: counted[0],
    slowest: counted[counted.length - 1],
    evaluations,
    testLoss: (await evaluate(trainer.flow, tests)).loss,
    secondsTo,
    peakMemoryMB: process.resourceUsage().maxRSS / 1024,
  };
}

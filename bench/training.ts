/** Milliseconds a training step of a preset takes: the median over many steps, after a warm-up. */
import { preset } from "../src/experiments/presets.js";
import { monotoneFlow } from "../src/flows/declaration.js";
import { train } from "../src/training/train.js";

const WARM_UP = 50;

export interface TrainingBenchmark {
  preset: string;
  threads: number;
  steps: number;
  /** Median milliseconds a step. */
  msPerStep: number;
  fastest: number;
  slowest: number;
  /** Network evaluations a solve, at the end. */
  evaluations: number;
  /** Largest resident memory of the process so far, in MB. */
  peakMemoryMB: number;
}

export async function benchTraining(
  name: string,
  threads: number,
  steps: number,
): Promise<TrainingBenchmark> {
  const { flow, training } = preset(name);
  const times: number[] = [];
  let evaluations = 0;
  let last = performance.now();
  await train(
    {
      data: { kind: "toy", name: "2spirals" },
      declaration: monotoneFlow({ ...flow, dim: 2 }),
      options: { ...training, seed: 0, steps: WARM_UP + steps },
      state: null,
    },
    threads,
    {
      onStep(_, result) {
        const now = performance.now();
        times.push(now - last);
        last = now;
        evaluations = result.evaluations;
      },
    },
  );
  const counted = times.slice(WARM_UP).sort((a, b) => a - b);
  return {
    preset: name,
    threads,
    steps,
    msPerStep: counted[counted.length >> 1],
    fastest: counted[0],
    slowest: counted[counted.length - 1],
    evaluations,
    peakMemoryMB: process.resourceUsage().maxRSS / 1024,
  };
}

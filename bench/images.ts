/**
 * A training step of an image preset: milliseconds, images a second, network evaluations a solve and memory, on
 * seeded random images of the preset's shape or on real ones; and beside it, in turn, the same model in PyTorch.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { imageSize } from "../src/data/images/image-set.js";
import type { ImageSource } from "../src/data/images/image-source.js";
import { openImages } from "../src/data/images/index.js";
import { check } from "../src/errors.js";
import { imageFlow } from "../src/flows/image-flow.js";
import { Purpose, Random } from "../src/model/random.js";
import { median } from "../src/plots/quantile.js";
import { imagePresets } from "../src/presets/image-presets.js";
import type { TrainingJob } from "../src/training/job.js";
import { train } from "../src/training/train.js";
import { checkPeer, installPeers, root, runPeer } from "./peers/peer.js";

/** Steps before the measurement: the first one also starts the actnorms. */
const WARM_UP = 2;
const RANDOM_IMAGES = 256;
const PEER = "torch_images";

const shapes: Readonly<Record<string, ImageSource["shape"]>> = {
  digits: { channels: 1, height: 8, width: 8 },
  mnist: { channels: 1, height: 28, width: 28 },
  cifar10: { channels: 3, height: 32, width: 32 },
  imagenet32: { channels: 3, height: 32, width: 32 },
  imagenet64: { channels: 3, height: 64, width: 64 },
};

export interface ImageBenchmarkOptions {
  /** Images a step (default: that of the preset). */
  batch?: number | undefined;
  /** Steps that are measured (default 10). */
  steps?: number | undefined;
  /** The folder of the preset's data set (default: random images). */
  dataDir?: string | undefined;
  seed?: number | undefined;
}

export interface ImageBenchmark {
  preset: string;
  data: string;
  threads: number;
  batch: number;
  steps: number;
  /** Of the measured steps: the median. */
  msPerStep: number;
  fastest: number;
  slowest: number;
  imagesPerSecond: number;
  /** Network evaluations a solve, forward and transposed ones together, at the end. */
  evaluations: number;
  /** Largest resident memory of the process so far, in MB. */
  peakMemoryMB: number;
}

/** Random images of a shape in a file of the folder: noise, averaged over 3 x 3 pixels. */
function randomImages(folder: string, shape: ImageSource["shape"], seed: number): ImageSource {
  const { height, width } = shape;
  const size = imageSize(shape);
  const bytes = new Uint8Array(RANDOM_IMAGES * size);
  const noise = new Float64Array(size);
  for (let n = 0; n < RANDOM_IMAGES; n++) {
    const random = new Random(seed, Purpose.sampling, 0, n);
    for (let i = 0; i < size; i++) noise[i] = random.uniform();
    for (let i = 0; i < size; i++) {
      const [y, x] = [Math.floor(i / width) % height, i % width];
      let [sum, count] = [0, 0];
      for (let dy = Math.max(-1, -y); dy <= Math.min(1, height - 1 - y); dy++) {
        for (let dx = Math.max(-1, -x); dx <= Math.min(1, width - 1 - x); dx++, count++) {
          sum += noise[i + dy * width + dx];
        }
      }
      bytes[n * size + i] = (256 * sum) / count;
    }
  }
  const path = join(folder, "random-images");
  writeFileSync(path, bytes);
  const images = { path, bytes: bytes.length, offset: 0, stride: size, count: RANDOM_IMAGES };
  const set = { count: RANDOM_IMAGES, parts: [{ images }] };
  const counts = { trainCount: RANDOM_IMAGES, testCount: RANDOM_IMAGES };
  return {
    kind: "raw",
    name: "random images",
    shape,
    levels: 256,
    ...counts,
    remarks: [],
    train: set,
    test: set,
  };
}

/** Does `work` with the training of a preset as `train` wants it; random images are gone afterwards. */
export async function withImageJob<Result>(
  name: string,
  steps: number,
  { batch, dataDir, seed = 0 }: ImageBenchmarkOptions,
  work: (job: TrainingJob, source: ImageSource) => Promise<Result>,
): Promise<Result> {
  check(
    Object.hasOwn(imagePresets, name),
    "usage",
    `unknown preset '${name}' for images; choose one of ${Object.keys(imagePresets).join(", ")}`,
  );
  const { data, flow, training, flips } = imagePresets[name];
  const folder = mkdtempSync(join(tmpdir(), "monotone-flows-"));
  try {
    const real = dataDir !== undefined || data === "digits";
    const source = real
      ? await openImages({ data, dataDir, seed })
      : randomImages(folder, shapes[data], seed);
    const { shape, levels } = source;
    const job: TrainingJob = {
      data: { kind: "images", source, flips },
      declaration: imageFlow({ ...flow, ...shape, levels }),
      options: { ...training, batch: batch ?? training.batch, seed, steps },
      state: null,
    };
    return await work(job, source);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Trains an image preset for some steps; the peak of memory is that of the process, so measure one a process. */
export async function benchImages(
  preset: string,
  threads: number,
  options: ImageBenchmarkOptions = {},
): Promise<ImageBenchmark> {
  const steps = options.steps ?? 10;
  return await withImageJob(preset, WARM_UP + steps, options, async (job, { name }) => {
    const times: number[] = [];
    let evaluations = 0;
    let last = performance.now();
    await train(job, threads, {
      onStep(_, result) {
        times.push(performance.now() - last);
        evaluations = result.evaluations;
        last = performance.now();
      },
    });
    const { batch } = job.options;
    const counted = times.slice(WARM_UP).sort((a, b) => a - b);
    const msPerStep = median(counted);
    return {
      preset,
      data: name,
      threads,
      batch,
      steps,
      msPerStep,
      fastest: counted[0],
      slowest: counted[counted.length - 1],
      imagesPerSecond: (1000 * batch) / msPerStep,
      evaluations,
      peakMemoryMB: process.resourceUsage().maxRSS / 1024,
    };
  });
}

/** One program at one number of threads: its rounds. */
export interface ComparedImages {
  program: string;
  threads: number;
  msPerStep: number;
  imagesPerSecond: number;
  /** Evaluations a solve: of all solves, or of the forward and the transposed ones. */
  evaluations: number[];
  peakMemoryMB: number;
}

interface PeerResult {
  msPerStep: number;
  evaluations: { forward: number; backward: number };
  peakMemoryMB: number;
}

/**
 * The preset here and in PyTorch at each number of threads, each program in a process of its own, `rounds` times in
 * turn; medians. Where PyTorch cannot run, that is said, and only ours is measured.
 */
export async function compareImages(
  preset: string,
  threads: readonly number[],
  rounds: number,
  options: ImageBenchmarkOptions,
  say: (line: string) => void,
): Promise<ComparedImages[]> {
  const steps = String(options.steps ?? 10);
  const batch = options.batch ?? imagePresets[preset].training.batch;
  const ours = (threads: number) => {
    const own = [
      "--preset",
      preset,
      "--threads",
      String(threads),
      "--steps",
      steps,
      "--batch",
      String(batch),
    ];
    const data = options.dataDir === undefined ? [] : ["--data-dir", options.dataDir];
    const main = join(root, "dist", "src", "cli", "main.js");
    const output = execFileSync(process.execPath, [main, "bench", "images", "--json", ...own, ...data]);
    const [result] = (JSON.parse(output.toString()) as { results: ImageBenchmark[] }).results;
    return { ...result, evaluations: [result.evaluations] };
  };
  const programs = threads.map((threads) => ({
    program: "monotone-flows",
    threads,
    run: () => ours(threads),
  }));
  const interpreter = installPeers(say).get(PEER);
  if (interpreter) {
    const outcome = checkPeer(PEER, interpreter);
    say(`${PEER}: golden vectors ${outcome}`);
    const config = ["--preset", preset, "--config", JSON.stringify({ batch }), "--steps", steps];
    const theirs = (threads: number) => {
      const result = runPeer<PeerResult>(PEER, interpreter, [...config, "--threads", String(threads)]);
      return { ...result, evaluations: Object.values(result.evaluations) };
    };
    if (outcome === "passed") {
      for (const n of threads)
        programs.push({ program: "PyTorch", threads: n, run: () => theirs(n) as never });
    }
  }
  const rows = programs.map(() => [] as { msPerStep: number; evaluations: number[]; peakMemoryMB: number }[]);
  for (let round = 0; round < rounds; round++) {
    programs.forEach(({ program, threads, run }, i) => {
      rows[i].push(run());
      say(
        `round ${round + 1}: ${program}, ${threads} threads: ${rows[i][round].msPerStep.toFixed(0)} ms a step`,
      );
    });
  }
  return programs.map(({ program, threads }, i) => {
    const msPerStep = median(rows[i].map((result) => result.msPerStep));
    const { evaluations } = rows[i][0];
    const peakMemoryMB = median(rows[i].map((result) => result.peakMemoryMB));
    return {
      program,
      threads,
      msPerStep,
      imagesPerSecond: (1000 * batch) / msPerStep,
      evaluations,
      peakMemoryMB,
    };
  });
}

/** The table of a comparison, line by line. */
export function comparisonReport(rows: readonly ComparedImages[]): string[] {
  const best = Math.min(...rows.filter((r) => r.program === "monotone-flows").map((r) => r.msPerStep));
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    line([
      "program",
      "threads",
      "ms a step",
      "images a second",
      "evaluations a solve",
      "MB",
      "ratio to our best",
    ]),
    line(["---", "--:", "--:", "--:", "--:", "--:", "--:"]),
    ...rows.map(({ program, threads, msPerStep, imagesPerSecond, evaluations, peakMemoryMB }) =>
      line([
        program,
        String(threads),
        msPerStep.toFixed(0),
        imagesPerSecond.toFixed(1),
        evaluations.map((n) => n.toFixed(1)).join(" and "),
        peakMemoryMB.toFixed(0),
        (msPerStep / best).toFixed(2),
      ]),
    ),
  ];
}

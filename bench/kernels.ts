/**
 * How near the WebAssembly kernels come to what this machine can do, one core, at the shapes of the two protocols
 * and of the presets of images.
 *
 * A matrix kernel is measured in GFLOP/s (a multiply-add counts two) beside the peak, which the same run takes
 * from a bare multiply-add loop; a pointwise map in nanoseconds an element (one pre-activation and its tangents).
 * Every figure is the best of many short measurements, taken in turn, so that a busy machine disturbs them little.
 */
import { activations } from "../src/activations/index.js";
import { type Grid, type Matrix, matrix, TAPS } from "../src/engine/engine.js";
import { WasmEngine } from "../src/engine/wasm/engine.js";
import { imagesAPass } from "../src/flows/flow.js";
import { ROW_GAP } from "../src/networks/workspace.js";
import { imagePresets } from "../src/presets/image-presets.js";

/** The matrices (rows x columns) of one network, and its jets: their tangents, and the samples of a pass. */
interface Protocol {
  readonly name: string;
  readonly shapes: readonly (readonly [rows: number, columns: number])[];
  readonly tangents: number;
  readonly batches: readonly number[];
}

const protocols: readonly Protocol[] = [
  {
    name: "2-D, depth 3, growth 16",
    shapes: [
      [8, 2],
      [8, 18],
      [8, 34],
      [2, 50],
    ],
    tangents: 2,
    batches: [64, 80, 128, 252],
  },
  {
    name: "1-D, depth 4, growth 128",
    shapes: [
      [64, 1],
      [64, 129],
      [64, 257],
      [64, 385],
      [1, 513],
    ],
    tangents: 1,
    batches: [64, 120, 252],
  },
];

/** The presets whose convolutions are measured, with the images that they are made for. */
const imageProtocols = [
  { name: "digits", channels: 1, side: 8, images: imagesAPass(8, 8) },
  { name: "mnist-small", channels: 1, side: 28, images: imagesAPass(28, 28) },
  { name: "cifar10-small", channels: 3, side: 32, images: imagesAPass(32, 32) },
  { name: "cifar10", channels: 3, side: 32, images: 8 },
] as const;

const ROUNDS = 40;
/** Milliseconds after which a case has been measured often enough, and the fewest rounds all the same. */
const ENOUGH = 150;
const FEWEST = 3;
/** Milliseconds of one short measurement. */
const SLICE = 0.4;
const WARM_UP = 5;
const MICROSECOND = 1e-3;

export interface MatrixResult {
  kernel: "linear" | "linearTransposed" | "outer";
  protocol: string;
  rows: number;
  columns: number;
  lanes: number;
  gflops: number;
  /** As a fraction of the peak. */
  ofPeak: number;
}

export interface ConvolutionResult {
  kernel: "convolution" | "convolutionTransposed" | "convolutionOuter";
  preset: string;
  rows: number;
  columns: number;
  /** Pixels of an image's side. */
  side: number;
  images: number;
  gflops: number;
  /** As a fraction of the peak; products with the zeros around an image are not counted. */
  ofPeak: number;
}

export interface PointwiseResult {
  map: string;
  direction: "forward" | "backward";
  tangents: number;
  batch: number;
  nanoseconds: number;
}

export interface KernelBenchmark {
  /** Whether multiply-adds are fused (relaxed SIMD). */
  relaxed: boolean;
  /** GFLOP/s of a loop of independent multiply-adds on registers. */
  peak: number;
  matrices: MatrixResult[];
  convolutions: ConvolutionResult[];
  pointwise: PointwiseResult[];
}

/** Something to time: `work` is what one call counts for, in the unit of the figure wanted. */
interface Case {
  readonly work: number;
  call(): void;
}

/** Nanoseconds a unit of work, for each case: the best of many slices. */
function measure(cases: readonly Case[]): number[] {
  // Processor time, in microseconds: other programs may run in between.
  const time = (call: () => void, calls: number) => {
    const start = process.cpuUsage();
    for (let n = 0; n < calls; n++) call();
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  };
  const calls = cases.map(({ call }) => {
    // Long enough that the host has compiled the kernel with its optimising compiler.
    const start = performance.now();
    let count = 0;
    let seen = Number.POSITIVE_INFINITY;
    for (let last = start, now = start; now - start < WARM_UP || count < 2; last = now, count++) {
      call();
      now = performance.now();
      seen = Math.min(seen, now - last);
    }
    return Math.max(1, Math.round(SLICE / Math.max(seen, MICROSECOND)));
  });
  const best = cases.map(() => Number.POSITIVE_INFINITY);
  const spent = cases.map(() => 0);
  for (let round = 0; round < ROUNDS; round++) {
    cases.forEach(({ call, work }, i) => {
      if (spent[i] > ENOUGH && round >= FEWEST) return;
      const taken = time(call, calls[i]);
      spent[i] += taken;
      best[i] = Math.min(best[i], (taken * 1e6) / (calls[i] * work));
    });
  }
  return best;
}

/** A matrix of numbers between -2 and 2, the same ones in every run. */
function filled(engine: WasmEngine, rows: number, lanes: number): Matrix {
  const tensor = engine.tensor(rows * lanes);
  engine.write(
    tensor,
    Float32Array.from({ length: rows * lanes }, (_, i) => 2 * Math.sin(1 + 12.9898 * i)),
  );
  return matrix(tensor, rows, lanes);
}

type Labelled<R> = Case & { readonly label: R };

function matrixCases(
  engine: WasmEngine,
  protocol: Protocol,
): Labelled<Omit<MatrixResult, "gflops" | "ofPeak">>[] {
  const { name, shapes, tangents, batches } = protocol;
  return shapes.flatMap(([rows, columns], layer) => {
    const closing = layer === shapes.length - 1;
    const weight = filled(engine, rows, columns);
    const bias = filled(engine, rows, 1);
    return batches.flatMap((batch) => {
      const lanes = batch * (1 + tangents);
      const input = filled(engine, columns, lanes);
      const out = filled(engine, rows, lanes);
      const gradient = filled(engine, rows, columns);
      const bar = filled(engine, columns, lanes);
      const label = { protocol: name, rows, columns, lanes };
      const work = 2 * rows * columns * lanes;
      return [
        {
          label: { ...label, kernel: "linear" as const },
          work,
          call: () => engine.linear(out, weight, input, bias, batch),
        },
        {
          // As in a backward pass, which the closing layer begins, and where the others add to what is there.
          label: { ...label, kernel: "linearTransposed" as const },
          work,
          call: () => engine.linearTransposed(bar, weight, out, !closing),
        },
        {
          label: { ...label, kernel: "outer" as const },
          work,
          call: () => engine.outer(gradient, out, input),
        },
      ];
    });
  });
}

/** The 3 x 3 convolutions of every scale of a preset, with as many images as a pass has. */
function convolutionCases(engine: WasmEngine): Labelled<Omit<ConvolutionResult, "gflops" | "ofPeak">>[] {
  return imageProtocols.flatMap(({ name, channels, side, images }) => {
    const { blocks = [], squeezeFirst, growth = 0, depth = 0 } = imagePresets[name].flow;
    return blocks.flatMap((_, scale) => {
      const squeezes = scale + (squeezeFirst ? 1 : 0);
      const size = side / 2 ** squeezes;
      return Array.from({ length: depth }, (_, layer) =>
        convolutionsOf(
          engine,
          { preset: name, images, side: size },
          growth / 2,
          channels * 4 ** squeezes + layer * growth,
        ),
      ).flat();
    });
  });
}

function convolutionsOf(
  engine: WasmEngine,
  own: { preset: string; images: number; side: number },
  rows: number,
  columns: number,
): Labelled<Omit<ConvolutionResult, "gflops" | "ofPeak">>[] {
  const { side, images } = own;
  const grid: Grid = { height: side, width: side };
  const batch = side * side * images;
  const jet = (rows: number) => ({ ...filled(engine, rows, batch + ROW_GAP), lanes: batch });
  const weight = filled(engine, rows, TAPS * columns);
  const gradient = filled(engine, rows, TAPS * columns);
  const bias = filled(engine, rows, 1);
  const [input, bar, out] = [jet(columns), jet(columns), jet(rows)];
  // Of three neighbours in a row or column, the first and the last pixel lack one.
  const work = 2 * rows * columns * (3 * side - 2) ** 2 * images;
  const label = { ...own, rows, columns };
  return [
    {
      label: { ...label, kernel: "convolution" },
      work,
      call: () => engine.convolution(out, weight, input, bias, grid, batch),
    },
    {
      label: { ...label, kernel: "convolutionTransposed" },
      work,
      call: () => engine.convolutionTransposed(bar, weight, out, true, grid, batch),
    },
    {
      label: { ...label, kernel: "convolutionOuter" },
      work,
      call: () => engine.convolutionOuter(gradient, out, input, grid, batch),
    },
  ];
}

const CHANNELS = 8;
const POINTWISE_BATCH = 128;

function pointwiseCases(engine: WasmEngine): Labelled<Omit<PointwiseResult, "nanoseconds">>[] {
  const batch = POINTWISE_BATCH;
  return activations.flatMap((map) =>
    [0, 1, 2].flatMap((tangents) => {
      const lanes = batch * (1 + tangents);
      const pre = filled(engine, CHANNELS, lanes);
      const preBar = filled(engine, CHANNELS, lanes);
      const out = filled(engine, CHANNELS * map.outputs, lanes);
      const parameterBar = filled(engine, 1, 1);
      const label = { map: map.name, tangents, batch };
      const work = CHANNELS * batch;
      return [
        {
          label: { ...label, direction: "forward" as const },
          work,
          call: () => engine.pointwise(map, out, pre, batch, 1),
        },
        {
          label: { ...label, direction: "backward" as const },
          work,
          call: () => engine.pointwiseBackward(map, preBar, out, pre, batch, 1, parameterBar),
        },
      ];
    }),
  );
}

const PEAK_ITERATIONS = 1000;
/** 12 vectors of 4 numbers, a multiplication and an addition each. */
const PEAK_WORK = 12 * 4 * 2;

/** Measures all kernels on this thread; takes about half a minute. */
export async function benchKernels(options: { relaxed?: boolean } = {}): Promise<KernelBenchmark> {
  const engine = await WasmEngine.create(options);
  const matrices = protocols.flatMap((protocol) => matrixCases(engine, protocol));
  const convolutions = convolutionCases(engine);
  const pointwise = pointwiseCases(engine);
  const bare = {
    work: PEAK_ITERATIONS * PEAK_WORK,
    call: () => engine.multiplyAddPeak(PEAK_ITERATIONS),
  };
  const [ofBare, ...times] = measure([bare, ...matrices, ...convolutions, ...pointwise]);
  const peak = 1 / ofBare;
  const rate = (time: number) => ({ gflops: 1 / time, ofPeak: 1 / time / peak });
  return {
    relaxed: engine.relaxed,
    peak,
    matrices: matrices.map(({ label }, i) => ({ ...label, ...rate(times[i]) })),
    convolutions: convolutions.map(({ label }, i) => ({ ...label, ...rate(times[matrices.length + i]) })),
    pointwise: pointwise.map(({ label }, i) => {
      return { ...label, nanoseconds: times[matrices.length + convolutions.length + i] };
    }),
  };
}

/** The table of `bench kernels`, line by line. */
export function kernelReport({
  relaxed,
  peak,
  matrices,
  convolutions,
  pointwise,
}: KernelBenchmark): string[] {
  const lines = [
    `peak of ${relaxed ? "fused" : "separate"} multiply-adds on one core: ${peak.toFixed(1)} GFLOP/s`,
  ];
  const kernels = ["linear", "linearTransposed", "outer"] as const;
  for (const protocol of new Set(matrices.map((m) => m.protocol))) {
    const own = matrices.filter((m) => m.protocol === protocol);
    const widths = [...new Set(own.map((m) => m.lanes))];
    lines.push("", `${protocol}: GFLOP/s (percent of peak)`);
    lines.push(
      ["kernel".padEnd(17), "shape".padEnd(8), ...widths.map((w) => `${w} lanes`.padStart(13))].join(""),
    );
    for (const kernel of kernels) {
      for (const shape of new Set(own.map((m) => `${m.rows}x${m.columns}`))) {
        const figures = own
          .filter((m) => m.kernel === kernel && `${m.rows}x${m.columns}` === shape)
          .map((m) => `${m.gflops.toFixed(1)} (${(100 * m.ofPeak).toFixed(0).padStart(3)}%)`.padStart(13));
        lines.push([kernel.padEnd(17), shape.padEnd(8), ...figures].join(""));
      }
    }
  }
  lines.push("", "3 x 3 convolutions: GFLOP/s (percent of peak)");
  lines.push(
    `${"preset".padEnd(15)}${"images".padEnd(12)}${"channels".padEnd(11)}${["forward", "transposed", "weights"].map((name) => name.padStart(13)).join("")}`,
  );
  // The three kernels of a layer stand next to each other.
  for (let i = 0; i < convolutions.length; i += 3) {
    const { preset, images, side, rows, columns } = convolutions[i];
    const figures = convolutions
      .slice(i, i + 3)
      .map((c) => `${c.gflops.toFixed(1)} (${(100 * c.ofPeak).toFixed(0).padStart(3)}%)`.padStart(13));
    lines.push(
      `${preset.padEnd(15)}${`${images} ${side}x${side}`.padEnd(12)}${`${rows}x${columns}`.padEnd(11)}${figures.join("")}`,
    );
  }
  const counts = [...new Set(pointwise.map((p) => p.tangents))];
  const heading = (direction: string) => counts.map((k) => `${direction}, ${k}`.padStart(13));
  lines.push("", "pointwise maps: ns an element (direction, number of tangents)");
  lines.push(["".padEnd(11), ...heading("forward"), ...heading("backward")].join(""));
  for (const map of new Set(pointwise.map((p) => p.map))) {
    const figures = (["forward", "backward"] as const).flatMap((direction) =>
      pointwise
        .filter((p) => p.map === map && p.direction === direction)
        .map((p) => p.nanoseconds.toFixed(2).padStart(13)),
    );
    lines.push([map.padEnd(11), ...figures].join(""));
  }
  return lines;
}

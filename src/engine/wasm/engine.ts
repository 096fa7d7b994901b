/** The WebAssembly SIMD engine, float32. Kernels: `kernels/`; the binary with relaxed SIMD is used where it compiles. */
import { FlowError } from "../../errors.js";
import type { Engine, Grid, Matrix, NewtonStage, NewtonStatus, Tensor } from "../engine.js";
import type { PointwiseMap } from "../pointwise.js";
import { relaxedKernels, simdKernels } from "./binaries.js";

type Kernel = (...args: number[]) => number;
type PointwiseKernels = Record<"forward" | "backward" | "slopes", Kernel>;

const FLOAT = 4;
const PAGE = 65536;
/** Memory below this address belongs to the kernels' own static data. */
const FIRST_ADDRESS = 2 * PAGE;

function decode(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

let compiled: Promise<{ module: WebAssembly.Module; relaxed: boolean }> | null = null;

/** Compiles the kernels once a process. */
function kernels(): Promise<{ module: WebAssembly.Module; relaxed: boolean }> {
  compiled ??= (async () => {
    if (typeof process !== "undefined" && process.versions?.node) {
      // Node 20 ships relaxed SIMD behind a flag, which has to be set before the first compilation.
      const { setFlagsFromString } = await import("node:v8");
      setFlagsFromString("--experimental-wasm-relaxed-simd");
    }
    const relaxed = decode(relaxedKernels);
    try {
      if (WebAssembly.validate(relaxed)) return { module: await WebAssembly.compile(relaxed), relaxed: true };
      return { module: await WebAssembly.compile(decode(simdKernels)), relaxed: false };
    } catch (cause) {
      throw new FlowError("internal", "this JavaScript engine has no WebAssembly SIMD; use a newer one", {
        cause,
      });
    }
  })();
  return compiled;
}

/** Does what takes memory; throws an `internal` error that says how much an engine has wanted in all, if there is none. */
function allocated<T>(bytes: number, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    const wanted = `${Math.ceil(bytes / 1e6)} MB for the samples and activations of a thread`;
    const advice = "use fewer threads or a smaller model";
    throw new FlowError(
      "internal",
      `there is no memory of ${wanted} (${(cause as Error).message}); ${advice}`,
      { cause },
    );
  }
}

/** The fast engine: float32 kernels in WebAssembly with SIMD, one memory of its own for each engine. */
export class WasmEngine implements Engine {
  readonly name = "wasm";
  readonly epsilon = 2 ** -23;
  readonly laneMultiple = 4;
  readonly preferredBatch = 128;
  /** Whether multiply-adds are fused (the build with relaxed SIMD). */
  readonly relaxed: boolean;
  readonly #memory: WebAssembly.Memory;
  readonly #kernels: Record<string, Kernel>;
  readonly #pointwise = new Map<PointwiseMap, PointwiseKernels>();
  #end = FIRST_ADDRESS;
  #numbers: Float32Array;
  #scratch: Tensor = { start: 0, length: 0 };
  readonly #status: Tensor;

  /**
   * A new engine.
   * @param options.relaxed false: without fused multiply-adds, as where the host has none (default: the best that it
   * has)
   * @throws FlowError `internal` where there is no memory or no SIMD
   */
  static async create(options: { relaxed?: boolean } = {}): Promise<WasmEngine> {
    const best = await kernels();
    if (options.relaxed === false && best.relaxed) {
      return new WasmEngine(await WebAssembly.compile(decode(simdKernels)), false);
    }
    return new WasmEngine(best.module, best.relaxed);
  }

  private constructor(module: WebAssembly.Module, relaxed: boolean) {
    this.relaxed = relaxed;
    this.#memory = allocated(64 * PAGE, () => new WebAssembly.Memory({ initial: 64 }));
    const instance = new WebAssembly.Instance(module, { env: { memory: this.#memory } });
    this.#kernels = instance.exports as unknown as Record<string, Kernel>;
    this.#numbers = new Float32Array(this.#memory.buffer);
    this.#status = this.tensor(4);
  }

  tensor(length: number): Tensor {
    const start = this.#end / FLOAT;
    this.#end += Math.ceil((length * FLOAT) / 64) * 64;
    const missing = this.#end - this.#memory.buffer.byteLength;
    if (missing > 0) {
      allocated(this.#end, () => this.#memory.grow(Math.ceil(missing / PAGE)));
      this.#numbers = new Float32Array(this.#memory.buffer);
    }
    return { start, length };
  }

  write(tensor: Tensor, values: ArrayLike<number>, offset = 0): void {
    if (offset + values.length > tensor.length) throw new RangeError("more numbers than the tensor holds");
    this.#numbers.set(values, tensor.start + offset);
  }

  async read(tensor: Tensor, target: Float64Array, offset = 0): Promise<void> {
    const start = tensor.start + offset;
    target.set(this.#numbers.subarray(start, start + target.length));
  }

  linear(out: Matrix, weight: Matrix, input: Matrix, bias: Matrix | null, biasLanes: number): void {
    this.#kernels.linear(
      at(out),
      step(out),
      at(weight),
      step(weight),
      at(input),
      step(input),
      out.rows,
      input.rows,
      out.lanes,
      bias ? at(bias) : 0,
      biasLanes,
    );
  }

  linearTransposed(out: Matrix, weight: Matrix, input: Matrix, accumulate: boolean): void {
    this.#kernels.linearTransposed(
      at(out),
      step(out),
      at(weight),
      step(weight),
      at(input),
      step(input),
      out.rows,
      input.rows,
      out.lanes,
      accumulate ? 1 : 0,
    );
  }

  outer(out: Matrix, a: Matrix, b: Matrix): void {
    // The kernel's wide side is its second operand: give it the matrix with more rows.
    if (b.rows >= a.rows) {
      this.#kernels.outer(at(out), step(out), FLOAT, at(a), step(a), a.rows, at(b), step(b), b.rows, a.lanes);
    } else {
      this.#kernels.outer(at(out), FLOAT, step(out), at(b), step(b), b.rows, at(a), step(a), a.rows, a.lanes);
    }
  }

  convolution(out: Matrix, weight: Matrix, input: Matrix, bias: Matrix, grid: Grid, batch: number): void {
    this.#kernels.convolution(
      at(out),
      step(out),
      at(weight),
      step(weight),
      at(input),
      step(input),
      out.rows,
      input.rows,
      at(bias),
      ...places(grid, batch),
      out.lanes / batch,
      this.#scratchFor(out.rows, input.rows),
    );
  }

  convolutionTransposed(
    out: Matrix,
    weight: Matrix,
    input: Matrix,
    accumulate: boolean,
    grid: Grid,
    batch: number,
  ): void {
    this.#kernels.convolutionTransposed(
      at(out),
      step(out),
      at(weight),
      step(weight),
      at(input),
      step(input),
      out.rows,
      input.rows,
      accumulate ? 1 : 0,
      ...places(grid, batch),
      out.lanes / batch,
      this.#scratchFor(input.rows, out.rows),
    );
  }

  convolutionOuter(out: Matrix, a: Matrix, b: Matrix, grid: Grid, batch: number): void {
    this.#kernels.convolutionOuter(
      at(out),
      step(out),
      at(a),
      step(a),
      a.rows,
      at(b),
      step(b),
      b.rows,
      ...places(grid, batch),
      a.lanes / batch,
      this.#scratchFor(a.rows, b.rows),
    );
  }

  /** Memory for the tiles of a convolution; what was needed last time is used again. */
  #scratchFor(rows: number, columns: number): number {
    const length = this.#kernels.winogradScratch(rows, columns) / FLOAT;
    if (this.#scratch.length < length) this.#scratch = this.tensor(length);
    return this.#scratch.start * FLOAT;
  }

  #pointwiseKernels(map: PointwiseMap): PointwiseKernels {
    let kernels = this.#pointwise.get(map);
    if (!kernels) {
      const kernel = (name: string) => this.#kernels[`${map.name}_${name}`];
      kernels = { forward: kernel("forward"), backward: kernel("backward"), slopes: kernel("slopes") };
      if (!kernels.forward) {
        throw new FlowError("internal", `no kernel was built for the pointwise map ${map.name}`);
      }
      this.#pointwise.set(map, kernels);
    }
    return kernels;
  }

  pointwise(map: PointwiseMap, out: Matrix, pre: Matrix, batch: number, parameter: number): void {
    const { forward } = this.#pointwiseKernels(map);
    const tangents = pre.lanes / batch - 1;
    forward(tangents, at(out), step(out), at(pre), step(pre), pre.rows, batch, parameter);
  }

  pointwiseBackward(
    map: PointwiseMap,
    preBar: Matrix,
    outBar: Matrix,
    pre: Matrix,
    batch: number,
    parameter: number,
    parameterBar: Matrix,
  ): void {
    this.#pointwiseKernels(map).backward(
      outBar.lanes / batch - 1,
      at(preBar),
      step(preBar),
      at(outBar),
      step(outBar),
      at(pre),
      step(pre),
      pre.rows,
      batch,
      parameter,
      at(parameterBar),
    );
  }

  slopes(map: PointwiseMap, out: Matrix, pre: Matrix, parameter: number): void {
    const { slopes } = this.#pointwiseKernels(map);
    slopes(at(out), step(out), at(pre), step(pre), pre.rows, pre.lanes, parameter);
  }

  applySlopes(out: Matrix, slopes: Matrix, outBar: Matrix): void {
    this.#kernels.applySlopes(
      at(out),
      step(out),
      at(slopes),
      step(slopes),
      at(outBar),
      step(outBar),
      out.rows,
      outBar.rows / out.rows,
      out.lanes,
    );
  }

  combine(out: Matrix, a: number, x: Matrix, b = 0, y: Matrix | null = null): void {
    this.#kernels.combine(
      at(out),
      step(out),
      a,
      at(x),
      step(x),
      b,
      y ? at(y) : 0,
      y ? step(y) : 0,
      out.rows,
      out.lanes,
    );
  }

  affine(out: Matrix, x: Matrix, scale: Matrix, shift: Matrix): void {
    this.#kernels.affine(at(out), step(out), at(x), step(x), at(scale), at(shift), out.rows, out.lanes);
  }

  rowSums(out: Matrix, x: Matrix, y: Matrix | null): void {
    this.#kernels.rowSums(at(out), at(x), step(x), y ? at(y) : 0, y ? step(y) : 0, x.rows, x.lanes);
  }

  fill(out: Matrix, value: number): void {
    this.#kernels.fill(at(out), step(out), value, out.rows, out.lanes);
  }

  gaussianLogDensity(out: Matrix, z: Matrix): void {
    this.#kernels.gaussianLogDensity(at(out), at(z), step(z), z.rows, z.lanes);
  }

  sampleDots(out: Matrix, x: Matrix, y: Matrix): void {
    this.#kernels.sampleDots(at(out), at(x), step(x), at(y), step(y), x.rows, x.lanes / out.lanes, out.lanes);
  }

  sampleMaxima(out: Matrix, x: Matrix): void {
    this.#kernels.sampleMaxima(at(out), at(x), step(x), x.rows, x.lanes / out.lanes, out.lanes);
  }

  scaleSamples(out: Matrix, scale: Matrix, x: Matrix, accumulate: boolean): void {
    this.#kernels.scaleSamples(
      at(out),
      step(out),
      at(scale),
      at(x),
      step(x),
      x.rows,
      x.lanes / scale.lanes,
      scale.lanes,
      accumulate ? 1 : 0,
    );
  }

  basisTangents(jet: Matrix, batch: number): void {
    this.#kernels.basisTangents(at(jet), step(jet), batch, jet.rows);
  }

  addLogDet(logDet: Matrix, jet: Matrix, plus: number, minus: number): void {
    this.#kernels.addLogDet(at(logDet), at(jet), step(jet), logDet.lanes, jet.rows, plus, minus);
  }

  logDetCotangent(bar: Matrix, weight: Matrix, jet: Matrix, plus: number, minus: number): void {
    this.#kernels.logDetCotangent(
      at(bar),
      step(bar),
      at(weight),
      at(jet),
      step(jet),
      weight.lanes,
      jet.rows,
      plus,
      minus,
    );
  }

  solveTransposed(out: Matrix, right: Matrix, jet: Matrix, sign: number): void {
    this.#kernels.solveTransposedLanes(
      at(out),
      step(out),
      at(right),
      step(right),
      at(jet),
      step(jet),
      out.lanes,
      jet.rows,
      sign,
    );
  }

  newtonStep(
    w: Matrix,
    target: Matrix,
    jet: Matrix,
    state: Matrix,
    open: Tensor,
    sign: number,
    tolerance: number,
    stage: NewtonStage,
  ): void {
    this.#kernels.newtonStep(
      at(w),
      step(w),
      at(target),
      step(target),
      at(jet),
      step(jet),
      at(state),
      step(state),
      open.start * FLOAT,
      this.#status.start * FLOAT,
      w.lanes,
      w.rows,
      sign,
      tolerance,
      stage === "first" ? 1 : 0,
      stage === "last" ? 1 : 0,
    );
  }

  gatherLanes(out: Matrix, count: number, x: Matrix, batch: number, open: Tensor): void {
    this.#kernels.gatherLanes(
      at(out),
      step(out),
      at(x),
      step(x),
      batch * FLOAT,
      open.start * FLOAT,
      count,
      x.rows,
      x.lanes / batch,
    );
  }

  scatterLanes(out: Matrix, batch: number, x: Matrix, count: number, open: Tensor): void {
    this.#kernels.scatterLanes(
      at(out),
      step(out),
      batch * FLOAT,
      at(x),
      step(x),
      open.start * FLOAT,
      count,
      x.rows,
      x.lanes / count,
    );
  }

  /** Runs the bare multiply-add loop that `bench/kernels.ts` measures the matrix kernels against; returns what it sums up. */
  multiplyAddPeak(iterations: number): number {
    return this.#kernels.multiplyAddPeak(iterations);
  }

  /** Whether convolutions on a grid go by tiles; for tests. */
  goesByTiles({ height, width }: Grid): boolean {
    return this.#kernels.winogradPays(height, width) !== 0;
  }

  /** The exponential or the logarithm that other kernels use, of so many numbers; for tests. */
  elementary(name: "exp" | "exp of minus" | "log", out: Tensor, x: Tensor): void {
    const [to, from] = [out.start * FLOAT, x.start * FLOAT];
    if (name === "log") this.#kernels.logarithms(to, from, x.length);
    else this.#kernels.exponentials(to, from, x.length, name === "exp" ? 0 : 1);
  }

  async newtonStatus(): Promise<NewtonStatus> {
    const { start } = this.#status;
    const [residual, open, doneResidual, givenUp] = this.#numbers.subarray(start, start + 4);
    return { residual, open, doneResidual, givenUp };
  }
}

/** The byte address of a matrix. */
function at(m: Matrix): number {
  return (m.tensor.start + m.offset) * FLOAT;
}

/** Height, width, and samples of a grid with so many lanes. */
function places({ height, width }: Grid, batch: number): [number, number, number] {
  return [height, width, batch / (height * width)];
}

/** The bytes from one row to the next. */
function step(m: Matrix): number {
  return m.stride * FLOAT;
}

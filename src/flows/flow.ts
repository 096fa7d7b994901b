/** A normalizing flow: a chain of bijections and a standard normal base; log p(x) = log N(F(x)) + log|det dF/dx|. */
import { Actnorm } from "../bijections/actnorm.js";
import type { Bijection } from "../bijections/bijection.js";
import { InverseResidual } from "../bijections/inverse-residual.js";
import type { LipschitzBlock } from "../bijections/lipschitz-block.js";
import { Monotone } from "../bijections/monotone.js";
import { Residual } from "../bijections/residual.js";
import { type Engine, type Matrix, matrix, paddedLanes, type Tensor } from "../engine/engine.js";
import { Parameters } from "../engine/parameters.js";
import { Purpose, Random } from "../engine/random.js";
import { WasmEngine } from "../engine/wasm/engine.js";
import { check } from "../errors.js";
import { Network } from "../networks/network.js";
import { Table } from "../table.js";
import { type FlowDeclaration, parseDeclaration } from "./declaration.js";
import type { FlowMaps } from "./flow-maps.js";
import { checkedSamples, latents, type Samples } from "./samples.js";

const FORMULATIONS = { residual: Residual, "inverse-residual": InverseResidual, monotone: Monotone };

/** Where a pass through the chain has left its results. */
interface Pass {
  out: Matrix;
  logDet: Matrix;
}

export class Flow implements FlowMaps {
  readonly declaration: FlowDeclaration;
  readonly dim: number;
  readonly engine: Engine;
  readonly parameters: Parameters;
  readonly bijections: readonly Bijection[];
  /** Samples that one pass can take. */
  readonly capacity: number;
  /** points[0] is the input of the chain, points[i + 1] the output of its i-th bijection. */
  readonly #points: Tensor[];
  readonly #bars: [Tensor, Tensor];
  readonly #logDet: Tensor;
  readonly #logDetBar: Tensor;
  readonly #staging: Float64Array;
  /** The end of the last call that uses the flow's memory: calls take turns. */
  #turn: Promise<unknown> = Promise.resolve();

  /**
   * Builds a flow with fresh weights.
   * @param options.engine where it computes (default: a WebAssembly engine of its own)
   * @param options.seed of the weights (default 0)
   * @param options.capacity samples a pass (default: what suits the engine)
   */
  static async create(
    declaration: FlowDeclaration,
    options: { engine?: Engine; seed?: number; capacity?: number } = {},
  ): Promise<Flow> {
    const parsed = parseDeclaration(declaration, "Flow.create");
    const engine = options.engine ?? (await WasmEngine.create());
    const capacity = options.capacity ?? engine.preferredBatch;
    check(
      Number.isInteger(capacity) && capacity > 0,
      "usage",
      `capacity must be a positive integer, not ${capacity}`,
    );
    return new Flow(parsed, engine, options.seed ?? 0, capacity);
  }

  private constructor(declaration: FlowDeclaration, engine: Engine, seed: number, capacity: number) {
    const { dim } = declaration;
    this.declaration = declaration;
    this.dim = dim;
    this.engine = engine;
    this.capacity = capacity;
    this.parameters = new Parameters();
    // The blocks of a chain go backwards one after the other, so equal ones share the memory for it.
    const shared = new Map<string, LipschitzBlock>();
    this.bijections = declaration.bijections.map((b, i) => {
      const name = `bijections.${i}`;
      if (b.kind === "actnorm") return new Actnorm(engine, this.parameters, name, dim);
      const random = new Random(seed, Purpose.initialisation, i);
      const network = new Network(engine, this.parameters, name, dim, b.network, random);
      const key = JSON.stringify(b.network);
      const block = new FORMULATIONS[b.kind](engine, network, capacity, shared.get(key));
      if (!shared.has(key)) shared.set(key, block);
      return block;
    });
    this.parameters.seal();
    const batch = paddedLanes(engine, capacity);
    this.#points = Array.from({ length: this.bijections.length + 1 }, () => engine.tensor(dim * batch));
    this.#bars = [engine.tensor(dim * batch), engine.tensor(dim * batch)];
    this.#logDet = engine.tensor(batch);
    this.#logDetBar = engine.tensor(batch);
    this.#staging = new Float64Array(dim * batch);
    this.prepare();
  }

  /** Sends all parameters to the engine; call it after changing any. */
  prepare(): void {
    for (const b of this.bijections) b.prepare();
  }

  /** The blocks that hold a network, with their places in the chain. */
  get blocks(): { index: number; block: LipschitzBlock }[] {
    return this.bijections.flatMap((b, index) =>
      b.lipschitzBound ? [{ index, block: b as LipschitzBlock }] : [],
    );
  }

  /** Iterates the spectral norms to convergence, so that every weight keeps its limit; for the end of training. */
  settle(): void {
    for (const b of this.bijections) b.iterate?.(500);
    this.prepare();
  }

  /** z = F(x) and log|det dF/dx| for each row of x; logDet in nats. */
  async forward(x: Samples): Promise<{ z: Table; logDet: Float64Array }> {
    const { out, logDet } = await this.#map(x, "forward", (count) => this.forwardPass(count));
    return { z: out, logDet };
  }

  /** x = F^-1(z) and log|det dF^-1/dz| for each row of z; logDet in nats. */
  async inverse(z: Samples): Promise<{ x: Table; logDet: Float64Array }> {
    const { out, logDet } = await this.#map(z, "inverse", (count) => this.#inversePass(count));
    return { x: out, logDet };
  }

  /** log p(x) for each row of x, in nats, in the units of the original columns. */
  async logProb(x: Samples): Promise<Float64Array> {
    const { logDet } = await this.#map(x, "forward", async (count) => {
      const pass = await this.forwardPass(count);
      this.engine.gaussianLogDensity(pass.logDet, pass.out);
      return pass;
    });
    return logDet;
  }

  /** `count` samples; the same seed gives the same samples. */
  async sample(count: number, options: { seed?: number } = {}): Promise<Table> {
    return (await this.inverse(latents(count, this.dim, options.seed ?? 0))).x;
  }

  /** Runs a pass over all rows, `capacity` at a time, when the calls before it have ended. */
  #map(
    samples: Samples,
    direction: "forward" | "inverse",
    pass: (count: number) => Promise<Pass>,
  ): Promise<{ out: Table; logDet: Float64Array }> {
    const run = this.#turn.then(() => this.#mapRows(checkedSamples(samples, this.dim), direction, pass));
    this.#turn = run.catch(() => {});
    return run;
  }

  async #mapRows(
    input: Table,
    direction: "forward" | "inverse",
    pass: (count: number) => Promise<Pass>,
  ): Promise<{ out: Table; logDet: Float64Array }> {
    const { dim, capacity } = this;
    const result = { out: new Table(input.rows, dim), logDet: new Float64Array(input.rows) };
    // The standardisation stands before the chain: at the start of a forward map, at the end of an inverse.
    const { standardisation } = this.declaration;
    const after = direction === "inverse" ? standardisation : undefined;
    const logScale = standardisation?.deviation.reduce((sum, s) => sum + Math.log(s), 0) ?? 0;
    for (let start = 0; start < input.rows; start += capacity) {
      const count = Math.min(capacity, input.rows - start);
      this.write(input.slice(start, start + count).values, count, direction === "forward");
      const { out, logDet } = await pass(count);
      const staging = this.#staging.subarray(0, dim * out.lanes);
      await this.engine.read(out.tensor, staging, out.offset);
      for (let j = 0; j < dim; j++) {
        const mean = after?.mean[j] ?? 0;
        const deviation = after?.deviation[j] ?? 1;
        for (let i = 0; i < count; i++) {
          result.out.values[(start + i) * dim + j] = staging[j * out.lanes + i] * deviation + mean;
        }
      }
      await this.engine.read(logDet.tensor, result.logDet.subarray(start, start + count), logDet.offset);
    }
    const shift = direction === "inverse" ? logScale : -logScale;
    if (shift !== 0) for (let i = 0; i < input.rows; i++) result.logDet[i] += shift;
    return result;
  }

  /** Puts `count` samples (row-major) at the start of the chain, standardised unless told otherwise. */
  write(values: ArrayLike<number>, count: number, standardised = true): void {
    const lanes = paddedLanes(this.engine, count);
    const { dim } = this;
    const staging = this.#staging.subarray(0, dim * lanes);
    const { standardisation } = this.declaration;
    staging.fill(0);
    for (let j = 0; j < dim; j++) {
      const mean = standardised ? (standardisation?.mean[j] ?? 0) : 0;
      const deviation = standardised ? (standardisation?.deviation[j] ?? 1) : 1;
      for (let i = 0; i < count; i++) staging[j * lanes + i] = (values[i * dim + j] - mean) / deviation;
    }
    this.engine.write(this.#points[0], staging);
  }

  /** The samples between the bijections i - 1 and i, for a pass of `count` samples. */
  point(i: number, count: number): Matrix {
    return matrix(this.#points[i], this.dim, paddedLanes(this.engine, count));
  }

  /** F(x) and the log-determinants of the samples that `write` put there; everything stays on the engine. */
  async forwardPass(count: number): Promise<Pass> {
    const logDet = matrix(this.#logDet, 1, paddedLanes(this.engine, count));
    this.engine.fill(logDet, 0);
    await this.#forward(count, this.bijections.length, logDet);
    return { out: this.point(this.bijections.length, count), logDet };
  }

  /** The values alone, without log-determinants, after the first `length` bijections. */
  async forwardValues(count: number, length = this.bijections.length): Promise<Matrix> {
    await this.#forward(count, length, null);
    return this.point(length, count);
  }

  async #forward(count: number, length: number, logDet: Matrix | null): Promise<void> {
    for (let i = 0; i < length; i++) {
      await this.bijections[i].forward(this.point(i + 1, count), this.point(i, count), logDet);
    }
  }

  async #inversePass(count: number): Promise<Pass> {
    const logDet = matrix(this.#logDet, 1, paddedLanes(this.engine, count));
    this.engine.fill(logDet, 0);
    // The samples were written to the start of the chain: they go to and fro between two points.
    let [input, output] = [this.point(0, count), this.point(1, count)];
    for (const bijection of [...this.bijections].reverse()) {
      await bijection.inverse(output, input, logDet);
      [input, output] = [output, input];
    }
    return { out: input, logDet };
  }

  /**
   * The gradient of -weight * sum of log p over the `count` samples of the last `forwardPass`, left pending in
   * the bijections until `collectGradient`. The log-densities are read into `logProb`.
   */
  async backwardPass(count: number, weight: number, logProb: Float64Array): Promise<void> {
    const { engine } = this;
    const lanes = paddedLanes(engine, count);
    const z = this.point(this.bijections.length, count);
    const logDet = matrix(this.#logDet, 1, lanes);
    engine.gaussianLogDensity(logDet, z);
    await engine.read(this.#logDet, logProb.subarray(0, count));
    const logDetBar = matrix(this.#logDetBar, 1, lanes);
    engine.fill(logDetBar, -weight);
    const zBar = matrix(this.#bars[0], this.dim, lanes);
    engine.combine(zBar, weight, z);
    if (lanes > count) this.#silencePadding(zBar, logDetBar, count);
    this.#backward(count, logDetBar);
  }

  /**
   * The gradient of zBar^T F(x) for the `count` samples of the last `forwardValues`, left pending in the same way.
   * `zBar` has a row a dimension and a lane a sample, and zeros in the lanes that pad the pass.
   */
  backwardValues(count: number, zBar: Float64Array): void {
    this.engine.write(this.#bars[0], zBar);
    this.#backward(count, null);
  }

  /** All bijections backwards, from the cotangents of z in the first of the two bars. */
  #backward(count: number, logDetBar: Matrix | null): void {
    const lanes = paddedLanes(this.engine, count);
    let [outputBar, inputBar] = this.#bars.map((tensor) => matrix(tensor, this.dim, lanes));
    for (const bijection of [...this.bijections].reverse()) {
      bijection.backward(inputBar, outputBar, logDetBar);
      [outputBar, inputBar] = [inputBar, outputBar];
    }
  }

  /** Lanes beyond the batch must not add to any gradient. */
  #silencePadding(outputBar: Matrix, logDetBar: Matrix, count: number): void {
    const zeros = new Float64Array(outputBar.lanes - count);
    for (let j = 0; j < this.dim; j++) {
      this.engine.write(outputBar.tensor, zeros, outputBar.offset + j * outputBar.stride + count);
    }
    this.engine.write(logDetBar.tensor, zeros, logDetBar.offset + count);
  }

  /** Adds the pending gradients to `parameters.gradient`. */
  async collectGradient(): Promise<void> {
    for (const b of this.bijections) await b.collectGradient();
  }
}

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

const FORMULATIONS = { residual: Residual, "inverse-residual": InverseResidual, monotone: Monotone };

type Samples = Table | readonly (readonly number[])[];

export class Flow {
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
    return new Flow(parsed, engine, options.seed ?? 0, options.capacity ?? engine.preferredBatch);
  }

  private constructor(declaration: FlowDeclaration, engine: Engine, seed: number, capacity: number) {
    const { dim } = declaration;
    this.declaration = declaration;
    this.dim = dim;
    this.engine = engine;
    this.capacity = capacity;
    this.parameters = new Parameters();
    this.bijections = declaration.bijections.map((b, i) => {
      const name = `bijections.${i}`;
      if (b.kind === "actnorm") return new Actnorm(engine, this.parameters, name, dim);
      const random = new Random(seed, Purpose.initialisation, i);
      const network = new Network(engine, this.parameters, name, dim, b.network, random);
      return new FORMULATIONS[b.kind](engine, network, capacity);
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
    const { table, logDet } = await this.#map(x, (count) => this.forwardPass(count));
    return { z: table, logDet };
  }

  /** x = F^-1(z) and log|det dF^-1/dz| for each row of z; logDet in nats. */
  async inverse(z: Samples): Promise<{ x: Table; logDet: Float64Array }> {
    const { table, logDet } = await this.#map(z, (count) => this.#inversePass(count), true);
    return { x: table, logDet };
  }

  /** log p(x) for each row of x, in nats, in the units of the original columns. */
  async logProb(x: Samples): Promise<Float64Array> {
    const { logDet } = await this.#map(x, async (count) => {
      const { z, logDet } = await this.forwardPass(count);
      this.engine.gaussianLogDensity(logDet, z);
      return { out: z, logDet };
    });
    return logDet;
  }

  /** `count` samples; the same seed gives the same samples. */
  async sample(count: number, options: { seed?: number } = {}): Promise<Table> {
    check(
      Number.isInteger(count) && count > 0,
      "usage",
      `the number of samples must be a positive integer, not ${count}`,
    );
    const z = new Table(count, this.dim);
    const random = new Random(options.seed ?? 0, Purpose.sampling);
    for (let i = 0; i < count; i++) {
      random.seek(0, i);
      for (let j = 0; j < this.dim; j++) z.values[i * this.dim + j] = random.normal();
    }
    return (await this.inverse(z)).x;
  }

  /** Runs a pass over all rows, `capacity` at a time, with the standardisation before it or after it. */
  async #map(
    samples: Samples,
    pass: (count: number) => Promise<{ out?: Matrix; z?: Matrix; logDet: Matrix }>,
    backwards = false,
  ): Promise<{ table: Table; logDet: Float64Array }> {
    const input = Table.from(samples);
    const { dim } = this;
    check(
      input.rows === 0 || input.columns === dim,
      "usage",
      `the flow has ${dim} dimensions, the samples have ${input.columns}`,
    );
    check(input.values.every(Number.isFinite), "input", "the samples hold a number that is not finite");
    const table = new Table(input.rows, dim);
    const logDets = new Float64Array(input.rows);
    const standardisation = this.declaration.standardisation;
    const constant = standardisation ? standardisation.deviation.reduce((sum, s) => sum - Math.log(s), 0) : 0;
    for (let start = 0; start < input.rows; start += this.capacity) {
      const count = Math.min(this.capacity, input.rows - start);
      this.write(input.slice(start, start + count).values, count, !backwards);
      const { out, z, logDet } = await pass(count);
      const result = (out ?? z) as Matrix;
      const staging = this.#staging.subarray(0, dim * result.lanes);
      await this.engine.read(result.tensor, staging, result.offset);
      for (let j = 0; j < dim; j++) {
        const mean = backwards ? (standardisation?.mean[j] ?? 0) : 0;
        const deviation = backwards ? (standardisation?.deviation[j] ?? 1) : 1;
        for (let i = 0; i < count; i++) {
          table.values[(start + i) * dim + j] = staging[j * result.lanes + i] * deviation + mean;
        }
      }
      await this.engine.read(logDet.tensor, logDets.subarray(start, start + count), logDet.offset);
    }
    if (constant !== 0)
      for (let i = 0; i < logDets.length; i++) logDets[i] += backwards ? -constant : constant;
    return { table, logDet: logDets };
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

  /** The first `length` bijections on the samples that `write` put there; everything stays on the engine. */
  async forwardPass(count: number, length = this.bijections.length): Promise<{ z: Matrix; logDet: Matrix }> {
    const logDet = matrix(this.#logDet, 1, paddedLanes(this.engine, count));
    this.engine.fill(logDet, 0);
    for (let i = 0; i < length; i++) {
      await this.bijections[i].forward(this.point(i + 1, count), this.point(i, count), logDet);
    }
    return { z: this.point(length, count), logDet };
  }

  async #inversePass(count: number): Promise<{ out: Matrix; logDet: Matrix }> {
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
    const last = this.bijections.length;
    const z = this.point(last, count);
    const logDet = matrix(this.#logDet, 1, lanes);
    engine.gaussianLogDensity(logDet, z);
    await engine.read(this.#logDet, logProb.subarray(0, count));
    const logDetBar = matrix(this.#logDetBar, 1, lanes);
    engine.fill(logDetBar, -weight);
    let [outputBar, inputBar] = this.#bars.map((tensor) => matrix(tensor, this.dim, lanes));
    engine.combine(outputBar, weight, z);
    if (lanes > count) this.#silencePadding(outputBar, logDetBar, count);
    for (let i = last - 1; i >= 0; i--) {
      this.bijections[i].backward(inputBar, outputBar, logDetBar);
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

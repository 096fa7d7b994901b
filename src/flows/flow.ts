/** A normalizing flow: a chain of bijections and a standard normal base; log p(x) = log N(F(x)) + log|det dF/dx|. */

import { Actnorm } from "../bijections/actnorm.js";
import type { Bijection } from "../bijections/bijection.js";
import { ExactRegime } from "../bijections/exact-regime.js";
import { Reshape } from "../bijections/fixed-map.js";
import { InverseResidual } from "../bijections/inverse-residual.js";
import { LipschitzBlock } from "../bijections/lipschitz-block.js";
import { Monotone } from "../bijections/monotone.js";
import type { Regime } from "../bijections/regime.js";
import { Residual } from "../bijections/residual.js";
import { Squeeze } from "../bijections/squeeze.js";
import { StochasticRegime } from "../bijections/stochastic-regime.js";
import { type Engine, type Matrix, matrix, paddedLanes, rowsOf, type Tensor } from "../engine/engine.js";
import { type GradientSource, joint } from "../engine/gradients.js";
import { Parameters } from "../engine/parameters.js";
import { Purpose, Random } from "../engine/random.js";
import { WasmEngine } from "../engine/wasm/engine.js";
import { check } from "../errors.js";
import { FRESH, type PassKey, Probes } from "../logdet/probes.js";
import { kernelsOf, Network, SETTLING_ROUNDS } from "../networks/network.js";
import { Table } from "../table.js";
import { judgeCost } from "./cost.js";
import { type BijectionDeclaration, type FlowDeclaration, parseDeclaration } from "./declaration.js";
import { Dequantizer } from "./dequantizer.js";
import { FailedRows } from "./failed-rows.js";
import type { FlowMaps, MapOptions } from "./flow-maps.js";
import { checkedSamples, latents, type Samples } from "./samples.js";
import { type Shape, shapeAfter, sizeOf } from "./shape.js";
import { logit, type Start, standardise, supported } from "./start.js";

const FORMULATIONS = { residual: Residual, "inverse-residual": InverseResidual };

/** The block of a declaration, on its network. */
function blockOf(b: Extract<BijectionDeclaration, { network: unknown }>, engine: Engine, regime: Regime) {
  return b.kind === "monotone"
    ? new Monotone(engine, regime, b.scale)
    : new FORMULATIONS[b.kind](engine, regime);
}

/** Pixels a pass, and the fewest and most images: their activations then stay in the second-level cache. */
const PIXELS_A_PASS = 16 * 28 * 28;
const [FEWEST_IMAGES, MOST_IMAGES] = [16, 64];

/** The number of images of that size that one pass works on best. */
export function imagesAPass(height: number, width: number): number {
  const images = Math.floor(PIXELS_A_PASS / (height * width));
  return Math.min(MOST_IMAGES, Math.max(FEWEST_IMAGES, images));
}

/** Samples a pass, unless a flow is built for others. */
export const samplesAPass = ({ estimator, image }: FlowDeclaration, preferred = 128): number =>
  estimator && image ? imagesAPass(image.height, image.width) : preferred;

/** Rounds of power iteration after training, at most. */
const LAST_ROUNDS = 500;

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
  /** shapes[i] is that of what goes into the i-th bijection, the last one that of what comes out in the end. */
  readonly shapes: readonly Shape[];
  /** The learned noise on pixels, where the declaration asks for it. */
  readonly dequantizer: Dequantizer | null;
  /** Of its bijections and its dequantizer. */
  readonly gradients: GradientSource;
  /** Called between the blocks of all work: there others can have their turn, and an error ends what is being done. */
  pause: (() => Promise<void>) | null = null;
  readonly #start: Start | null;
  readonly #probes: Probes | null;
  /** points[0] is the input of the chain, points[i + 1] the output of its i-th bijection. */
  readonly #points: Tensor[];
  readonly #bars: [Tensor, Tensor];
  readonly #logDet: Tensor;
  readonly #logDetBar: Tensor;
  readonly #staging: Float64Array;
  /** The fingerprint of the parameters that the engine has; null where it has not been taken. */
  #sent: number | null = null;
  /** Whether the samples that were written have learned noise. */
  #drawn = false;
  /** log|det| of the start, of the samples that were written; minus log q of their learned noise. */
  readonly #startLogDet: Float64Array;
  /** Which of the samples that were written are outside of the support: zeros take their place in the chain. */
  readonly #outside: Uint8Array;
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
    const capacity = options.capacity ?? samplesAPass(parsed, engine.preferredBatch);
    check(
      Number.isInteger(capacity) && capacity > 0,
      "usage",
      `capacity must be a positive integer, not ${capacity}`,
    );
    judgeCost(parsed, paddedLanes(engine, capacity), "this declaration");
    const flow = new Flow(parsed, engine, options.seed ?? 0, capacity);
    for (const { block } of flow.blocks) if (block.network.grid) await block.iterate(SETTLING_ROUNDS);
    await flow.dequantizer?.iterate(SETTLING_ROUNDS);
    flow.prepare();
    return flow;
  }

  private constructor(declaration: FlowDeclaration, engine: Engine, seed: number, capacity: number) {
    const { dim, image, dequantization, standardisation, estimator } = declaration;
    this.declaration = declaration;
    this.dim = dim;
    this.engine = engine;
    this.capacity = capacity;
    this.parameters = new Parameters();
    this.#start = image ? logit(image) : standardisation ? standardise(standardisation) : null;
    const count = declaration.bijections.filter((b) => "network" in b).length;
    this.#probes = estimator ? new Probes(estimator, count) : null;
    const shapes: Shape[] = [image ?? { channels: dim, height: 1, width: 1 }];
    for (const { kind } of declaration.bijections) shapes.push(shapeAfter(kind, shapes[shapes.length - 1]));
    this.shapes = shapes;
    // The blocks of a chain go backwards one after the other, so they share the memory for it where they can.
    const exact = new Map<string, ExactRegime>();
    let stochastic: StochasticRegime | undefined;
    let block = 0;
    this.bijections = declaration.bijections.map((b, i) => {
      const name = `bijections.${i}`;
      const { channels, height, width } = shapes[i];
      if (!("network" in b)) {
        if (b.kind === "actnorm") {
          return new Actnorm(engine, this.parameters, name, channels, height * width, b.varianceFloor);
        }
        if (b.kind === "squeeze") return new Squeeze(engine, channels, shapes[i]);
        return new Reshape(engine, b.kind);
      }
      const random = new Random(seed, Purpose.initialisation, i);
      const grid = height * width > 1 || kernelsOf(b.network).includes(3) ? { height, width } : null;
      const network = new Network(engine, this.parameters, name, channels, b.network, random, grid);
      if (estimator && this.#probes) {
        const { tolerance } = estimator;
        const shared = { engine, capacity, probes: this.#probes, tolerance, sharing: stochastic };
        const regime = new StochasticRegime(network, { ...shared, block: block++ });
        stochastic ??= regime;
        return blockOf(b, engine, regime);
      }
      const key = JSON.stringify(b.network);
      const regime = new ExactRegime(engine, network, capacity, exact.get(key));
      if (!exact.has(key)) exact.set(key, regime);
      return blockOf(b, engine, regime);
    });
    const fresh = (index: number) => new Random(seed, Purpose.initialisation, this.bijections.length + index);
    this.dequantizer =
      image && dequantization
        ? new Dequantizer(
            engine,
            this.parameters,
            image,
            dequantization.network,
            [fresh(0), fresh(1)],
            capacity,
          )
        : null;
    this.gradients = joint(
      this.dequantizer ? [...this.bijections, this.dequantizer.gradients] : this.bijections,
    );
    this.parameters.seal();
    const batch = paddedLanes(engine, capacity);
    this.#points = Array.from({ length: this.bijections.length + 1 }, () => engine.tensor(dim * batch));
    this.#bars = [engine.tensor(dim * batch), engine.tensor(dim * batch)];
    this.#logDet = engine.tensor(batch);
    this.#logDetBar = engine.tensor(batch);
    this.#staging = new Float64Array(dim * batch);
    this.#startLogDet = new Float64Array(capacity);
    this.#outside = new Uint8Array(capacity);
  }

  /**
   * Sends all parameters to the engine; every block is a contraction then. Maps do so by themselves where a parameter
   * has changed since.
   */
  prepare(): void {
    for (const b of this.bijections) b.prepare();
    this.dequantizer?.prepare();
    this.#sent = null;
  }

  #prepareIfStale(): void {
    const fingerprint = this.parameters.fingerprint();
    if (fingerprint === this.#sent) return;
    this.prepare();
    this.#sent = fingerprint;
  }

  /**
   * Certifies that every block is a contraction as it is prepared, and makes it one where it is not; where it has happened
   * since `prepare`, that costs nothing. Maps of rows do it; training, where the margin of convolutions is wide, now and then.
   */
  makeCertain(): void {
    for (const { block } of this.blocks) block.makeCertain();
  }

  /**
   * Of every block with a network its place in the chain (from 1), its kind, and a certified upper bound on the network's
   * Lipschitz constant, as maps compute with it: below 1 unless the declaration limits norms by estimates. `tight` bounds
   * of convolutions take a hundred times as long.
   */
  certifiedBounds(effort?: "certain" | "tight"): { block: number; kind: string; lipschitzBound: number }[] {
    this.#prepareIfStale();
    this.makeCertain();
    return this.blocks.map(({ index, block }) => ({
      block: index + 1,
      kind: block.kind,
      lipschitzBound: block.lipschitzBound(effort),
    }));
  }

  /** At most `rounds` rounds of power iteration on every weight (default: what a training step does). */
  async iterate(rounds?: number): Promise<void> {
    for (const b of this.bijections) {
      await b.iterate?.(rounds);
      await this.pause?.();
    }
    await this.dequantizer?.iterate(rounds);
  }

  /** The blocks that hold a network, with their places in the chain. */
  get blocks(): { index: number; block: LipschitzBlock }[] {
    return this.bijections.flatMap((block, index) =>
      block instanceof LipschitzBlock ? [{ index, block }] : [],
    );
  }

  /** Iterates the spectral norms to convergence, so that every weight keeps its limit; for the end of training. */
  async settle(): Promise<void> {
    await this.iterate(LAST_ROUNDS);
    this.prepare();
  }

  /**
   * z = F(x) and log|det dF/dx| for each row of x; logDet in nats. Rows outside of the support (`logProb`) have no latent:
   * there z is Infinity and logDet -Infinity.
   */
  async forward(x: Samples, options: MapOptions = {}): Promise<{ z: Table; logDet: Float64Array }> {
    const { out, logDet } = await this.#map(x, "forward", options, (count, key) =>
      this.#forwardPass(count, key, options.logDet ?? true),
    );
    return { z: out, logDet };
  }

  /** x = F^-1(z) and log|det dF^-1/dz| for each row of z, numbers of at most 1e18; logDet in nats. */
  async inverse(z: Samples, options: MapOptions = {}): Promise<{ x: Table; logDet: Float64Array }> {
    const { out, logDet } = await this.#map(z, "inverse", options, (count, key) =>
      this.#inversePass(count, key, options.logDet ?? true),
    );
    return { x: out, logDet };
  }

  /**
   * log p(x) for each row of x, in nats, in the units of the original columns. With learned noise: of the pixels in x,
   * noise in x being left out, one draw of log p(x + u) - log q(u | x), whose mean is a lower bound of log P(x); the
   * draw is named by `options.seed` and the row's number.
   *
   * -Infinity outside of the support: for pixels that the start's logit does not reach (with learned noise: outside of
   * 0 to `levels`), and for numbers that are infinite or beyond 1e18 deviations. NaN in x is an `input` error.
   */
  async logProb(x: Samples, options: MapOptions = {}): Promise<Float64Array> {
    const { logDet } = await this.#map(x, "forward", options, async (count, key, values) => {
      if (this.dequantizer) await this.writeData(values, count, key);
      const pass = await this.#forwardPass(count, key, true);
      this.engine.gaussianLogDensity(pass.logDet, pass.out);
      return pass;
    });
    return logDet;
  }

  /** `count` samples; the same seed gives the same samples. */
  async sample(
    count: number,
    { seed = 0, failures }: { seed?: number; failures?: FailedRows | undefined } = {},
  ): Promise<Table> {
    return (await this.inverse(latents(count, this.dim, seed), { logDet: false, failures })).x;
  }

  /** Runs a pass over all rows, `capacity` at a time, when the calls before it have ended. */
  #map(
    samples: Samples,
    direction: "forward" | "inverse",
    options: MapOptions,
    pass: (count: number, key: PassKey, values: Float64Array) => Promise<Pass>,
  ): Promise<{ out: Table; logDet: Float64Array }> {
    const run = this.#turn.then(() =>
      this.#mapRows(
        checkedSamples(samples, this.dim, direction === "forward" ? "data" : "latents"),
        direction,
        options,
        pass,
      ),
    );
    this.#turn = run.catch(() => {});
    return run;
  }

  async #mapRows(
    input: Table,
    direction: "forward" | "inverse",
    { seed = 0, first = 0, exact = false, logDet: wanted = true, failures }: MapOptions,
    pass: (count: number, key: PassKey, values: Float64Array) => Promise<Pass>,
  ): Promise<{ out: Table; logDet: Float64Array }> {
    const { dim, capacity } = this;
    this.#prepareIfStale();
    this.makeCertain();
    const result = { out: new Table(input.rows, dim), logDet: new Float64Array(input.rows) };
    // The start stands before the chain: it comes first in a forward map, last in an inverse.
    const before = direction === "forward";
    const end = before ? null : this.#start;
    const failed = failures ?? new FailedRows();
    failed.rows += input.rows;
    for (let start = 0; start < input.rows; start += capacity) {
      const count = Math.min(capacity, input.rows - start);
      const { values } = input.slice(start, start + count);
      this.write(values, count, before);
      const key = { seed, step: 0, first: first + start, training: false, exact };
      for (const { counts } of this.bijections) if (counts) counts.missed = [];
      const { out, logDet } = await pass(count, key, values);
      const places = this.#missedPlaces(count, before);
      const staging = this.#staging.subarray(0, dim * out.lanes);
      await this.engine.read(out.tensor, staging, out.offset);
      const numbers = result.logDet.subarray(start, start + count);
      await this.engine.read(logDet.tensor, numbers, logDet.offset);
      for (let i = 0; i < count; i++) {
        if (before && wanted) numbers[i] += this.#startLogDet[i];
        for (let j = 0; j < dim; j++) {
          const y = staging[j * out.lanes + i];
          result.out.values[(start + i) * dim + j] = end ? end.inverse(y, j) : y;
          if (end && wanted) numbers[i] -= end.logSlope(y, j);
        }
        if (this.isOutside(i)) {
          result.out.row(start + i).fill(Number.POSITIVE_INFINITY);
          if (wanted) numbers[i] = Number.NEGATIVE_INFINITY;
        }
        const row = result.out.row(start + i);
        if (this.isOutside(i) || (places[i] === 0 && isSound(row, numbers[i]))) continue;
        failed.add(first + start + i, places[i]);
        row.fill(Number.NaN);
        numbers[i] = Number.NaN;
      }
    }
    if (!failures) failed.check();
    return result;
  }

  /** Of each sample of the last pass, the place (from 1) of the first block whose solve missed its tolerance, or 0. */
  #missedPlaces(count: number, forward: boolean): Int32Array {
    const places = new Int32Array(count);
    const order = [...this.bijections.keys()];
    for (const i of forward ? order : order.reverse()) {
      for (const lane of this.bijections[i].counts?.missed ?? []) {
        if (lane < count && places[lane] === 0) places[lane] = i + 1;
      }
    }
    return places;
  }

  /** Puts `count` samples (row-major) at the start of the chain, behind its fixed start unless told otherwise. */
  write(values: ArrayLike<number>, count: number, throughStart = true): void {
    const lanes = paddedLanes(this.engine, count);
    const { dim } = this;
    const staging = this.#staging.subarray(0, dim * lanes);
    const start = throughStart ? this.#start : null;
    staging.fill(0);
    this.#startLogDet.fill(0);
    this.#outside.fill(0);
    for (let j = 0; j < dim; j++) {
      for (let i = 0; i < count; i++) {
        const x = values[i * dim + j];
        const y = start ? start.forward(x, j) : x;
        staging[j * lanes + i] = y;
        if (start) this.#startLogDet[i] += start.logSlope(y, j);
        // Noise that is not a number is no place outside of the support: it makes the row fail.
        if (!supported(y) && !Number.isNaN(x)) this.#outside[i] = 1;
      }
    }
    // They must not keep the others of their pass from converging.
    for (let i = 0; i < count; i++) {
      if (this.isOutside(i)) for (let j = 0; j < dim; j++) staging[j * lanes + i] = 0;
    }
    this.engine.write(this.#points[0], staging);
    this.#drawn = false;
  }

  /** Whether sample i of those that were written last is outside of the support, and zeros went into the chain for it. */
  isOutside(i: number): boolean {
    return this.#outside[i] === 1;
  }

  /**
   * As `write`, for samples as a data source gives them: learned noise, where the flow has it, takes the place of
   * theirs, and its -log q counts to their log-densities.
   */
  async writeData(values: ArrayLike<number>, count: number, key: PassKey = FRESH): Promise<void> {
    if (!this.dequantizer) return this.write(values, count);
    const { noisy, logDensity, outside } = await this.dequantizer.draw(values, count, key);
    this.write(noisy, count);
    this.#outside.set(outside);
    for (let i = 0; i < count; i++) this.#startLogDet[i] -= logDensity[i];
    this.#drawn = true;
  }

  /** The samples between the bijections i - 1 and i, for a pass of `count` samples: one row a dimension. */
  point(i: number, count: number): Matrix {
    return matrix(this.#points[i], this.dim, paddedLanes(this.engine, count));
  }

  /** The part of such a matrix that a bijection works on, one row a channel, and the part that has left the chain. */
  #split(whole: Matrix, shape: Shape): { active: Matrix; done: Matrix | null } {
    const size = sizeOf(shape);
    const places = shape.height * shape.width;
    const lanes = whole.lanes * places;
    const active = { ...whole, rows: shape.channels, lanes, stride: lanes };
    const done = size < whole.rows ? rowsOf(whole, size, whole.rows - size) : null;
    return { active, done };
  }

  /** Calls `step` with what the i-th bijection works on; what has left the chain goes along. */
  async #through(
    i: number,
    [out, outShape]: [Matrix, Shape],
    [input, inputShape]: [Matrix, Shape],
    step: (bijection: Bijection, out: Matrix, input: Matrix) => Promise<void>,
  ): Promise<void> {
    // What is factored out leaves after its step, and comes back before it.
    const smaller = sizeOf(outShape) < sizeOf(inputShape) ? outShape : inputShape;
    const cut = this.bijections[i].kind === "factor-out" ? smaller : null;
    const to = this.#split(out, cut ?? outShape);
    const from = this.#split(input, cut ?? inputShape);
    await step(this.bijections[i], to.active, from.active);
    if (to.done && from.done) this.engine.combine(to.done, 1, from.done);
    await this.pause?.();
  }

  /** F(x) and the log-determinants of the samples that `write` put there; everything stays on the engine. */
  forwardPass(count: number, key = FRESH): Promise<Pass> {
    return this.#forwardPass(count, key, true);
  }

  async #forwardPass(count: number, key: PassKey, withLogDet: boolean): Promise<Pass> {
    this.#probes?.begin(key);
    const logDet = matrix(this.#logDet, 1, paddedLanes(this.engine, count));
    this.engine.fill(logDet, 0);
    await this.#forward(count, this.bijections.length, withLogDet ? logDet : null);
    return { out: this.point(this.bijections.length, count), logDet };
  }

  /** The values alone, without log-determinants, after the first `length` bijections, of which `done` are done. */
  async forwardValues(count: number, length = this.bijections.length, done = 0): Promise<Matrix> {
    await this.#forward(count, length, null, done);
    return this.point(length, count);
  }

  async #forward(count: number, length: number, logDet: Matrix | null, done = 0): Promise<void> {
    for (let i = done; i < length; i++) {
      await this.#through(
        i,
        [this.point(i + 1, count), this.shapes[i + 1]],
        [this.point(i, count), this.shapes[i]],
        (bijection, out, input) => bijection.forward(out, input, logDet),
      );
    }
  }

  async #inversePass(count: number, key: PassKey, withLogDet: boolean): Promise<Pass> {
    this.#probes?.begin(key);
    const logDet = matrix(this.#logDet, 1, paddedLanes(this.engine, count));
    this.engine.fill(logDet, 0);
    // The samples were written to the start of the chain: they go to and fro between two points.
    let [input, output] = [this.point(0, count), this.point(1, count)];
    for (let i = this.bijections.length - 1; i >= 0; i--) {
      await this.#through(i, [output, this.shapes[i]], [input, this.shapes[i + 1]], (bijection, out, from) =>
        bijection.inverse(out, from, withLogDet ? logDet : null),
      );
      [input, output] = [output, input];
    }
    return { out: input, logDet };
  }

  /**
   * The gradient of -weight * sum of log p over the `count` samples of the last `forwardPass`, left to be
   * collected. The log-densities are read into `logProb`.
   */
  async backwardPass(count: number, weight: number, logProb: Float64Array): Promise<void> {
    const { engine } = this;
    const lanes = paddedLanes(engine, count);
    const z = this.point(this.bijections.length, count);
    const logDet = matrix(this.#logDet, 1, lanes);
    engine.gaussianLogDensity(logDet, z);
    await engine.read(this.#logDet, logProb.subarray(0, count));
    for (let i = 0; i < count; i++) {
      if (this.isOutside(i)) logProb[i] = Number.NEGATIVE_INFINITY;
      else logProb[i] += this.#startLogDet[i];
    }
    const logDetBar = matrix(this.#logDetBar, 1, lanes);
    engine.fill(logDetBar, -weight);
    const zBar = matrix(this.#bars[0], this.dim, lanes);
    engine.combine(zBar, weight, z);
    if (lanes > count) this.#silencePadding(zBar, logDetBar, count);
    await this.#backward(count, logDetBar);
    if (this.#drawn) await this.#backwardNoise(count, weight);
  }

  /** On through the start to the learned noise, from the cotangents that `#backward` has left. */
  async #backwardNoise(count: number, weight: number): Promise<void> {
    const { dim, engine } = this;
    const lanes = paddedLanes(engine, count);
    const y = this.#staging.subarray(0, dim * lanes);
    const yBar = new Float64Array(dim * lanes);
    await engine.read(this.#points[0], y);
    await engine.read(this.#bars[this.bijections.length % 2], yBar);
    const noisyBar = new Float64Array(count * dim);
    const start = this.#start as Start;
    for (let j = 0; j < dim; j++) {
      for (let i = 0; i < count; i++) {
        const at = j * lanes + i;
        const slope = Math.exp(start.logSlope(y[at], j));
        noisyBar[i * dim + j] = slope * (yBar[at] - weight * start.logSlopeRate(y[at]));
      }
    }
    this.dequantizer?.backward(noisyBar, count, weight);
  }

  /**
   * The gradient of zBar^T F(x) for the `count` samples of the last `forwardValues`, left pending in the same way.
   * `zBar` has a row a dimension and a lane a sample, and zeros in the lanes that pad the pass.
   */
  async backwardValues(count: number, zBar: Float64Array): Promise<void> {
    this.engine.write(this.#bars[0], zBar);
    await this.#backward(count, null);
  }

  /** All bijections backwards, from the cotangents of z in the first of the two bars. */
  async #backward(count: number, logDetBar: Matrix | null): Promise<void> {
    const lanes = paddedLanes(this.engine, count);
    let [outputBar, inputBar] = this.#bars.map((tensor) => matrix(tensor, this.dim, lanes));
    for (let i = this.bijections.length - 1; i >= 0; i--) {
      await this.#through(
        i,
        [inputBar, this.shapes[i]],
        [outputBar, this.shapes[i + 1]],
        (bijection, to, from) => bijection.backward(to, from, logDetBar),
      );
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
}

/** Whether a row's results are numbers; a density may be 0. */
function isSound(point: Float64Array, number: number): boolean {
  if (Number.isNaN(number) || number === Number.POSITIVE_INFINITY) return false;
  for (let j = 0; j < point.length; j++) if (!Number.isFinite(point[j])) return false;
  return true;
}

/**
 * A normalizing flow: preprocessing, a chain of bijections F, and a base distribution;
 * log p(x) = log base(F(x)) + log|det dF/dx| + the terms of the preprocessing.
 */

import { z } from "zod";
import type { Base } from "../bases/base.js";
import { makeBase } from "../bases/index.js";
import type { LipschitzBlock } from "../bijections/lipschitz-block.js";
import { type Engine, type Matrix, matrix, paddedLanes, type Tensor } from "../engine/engine.js";
import { WasmEngine } from "../engine/wasm/engine.js";
import { check } from "../errors.js";
import { FRESH, type PassKey } from "../logdet/probes.js";
import { discardGradient, type GradientSource, joint } from "../model/gradients.js";
import { Parameters } from "../model/parameters.js";
import { Purpose, Random } from "../model/random.js";
import { resolved } from "../options.js";
import { LearnedNoise, Logit, type Preprocessing, Rows, Standardisation } from "../preprocessing/index.js";
import type { Shape } from "../shape.js";
import { Table } from "../table.js";
import { Turns } from "../turn.js";
import { Chain } from "./chain.js";
import { judgeCost } from "./cost.js";
import { type FlowDeclaration, parseDeclaration } from "./declaration.js";
import { FailedRows } from "./failed-rows.js";
import {
  type FlowMaps,
  type MapOptions,
  mapSchema,
  type SampleOptions,
  type ScoreOptions,
  sampleSchema,
  scoreSchema,
} from "./flow-maps.js";
import { checkedSamples, checkedSize, type Samples } from "./samples.js";
import { supported } from "./support.js";
import { isSound, sumOf, type Term } from "./terms.js";

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

const createSchema = z.strictObject({
  engine: z.custom<Engine>().optional(),
  seed: z.number().int().nonnegative().default(0),
  capacity: z.number().int().positive().optional(),
});

/**
 * A normalizing flow on an engine; `Flow.create` makes one, `loadFlow` and `decodeFlow` read one. Calls take turns on
 * its one memory.
 */
export class Flow implements FlowMaps {
  /** What it was built from, complete. */
  readonly declaration: FlowDeclaration;
  readonly dim: number;
  /** Where it computes. */
  readonly engine: Engine;
  /** All that is learned or carried along, with gradients. */
  readonly parameters: Parameters;
  /** What stands before the chain, in the order of a forward map. */
  readonly preprocessing: readonly Preprocessing[];
  /** The bijections, and the points between them. */
  readonly chain: Chain;
  /** The density of the latents. */
  readonly base: Base;
  /** Samples that one pass can take. */
  readonly capacity: number;
  /** Of the chain, the preprocessing and the base. */
  readonly gradients: GradientSource;
  /** Steps of the training that its parameters come from, as its files say; null where that is not known. */
  steps: number | null = null;
  readonly #logDet: Tensor;
  readonly #logBase: Tensor;
  readonly #logDetBar: Tensor;
  readonly #staging: Float64Array;
  /** The fingerprint of the parameters that the engine has; null where it has not been taken. */
  #sent: number | null = null;
  /** The terms that preprocessing gave the samples that `enter` put there, and whether it drew any. */
  #terms: readonly Term[] = [];
  #drawn = false;
  /** Which of these are outside of the support: zeros take their place in the chain. */
  readonly #outside: Uint8Array;
  /** The end of the last call that uses the flow's memory: calls take turns. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Ends the call whose turn it is. */
  #signal: AbortSignal | undefined;

  /**
   * Builds a flow with fresh weights.
   * @param options.engine where it computes (default: a WebAssembly engine of its own)
   * @param options.seed of the weights (default 0)
   * @param options.capacity samples a pass (default: what suits the engine)
   * @throws FlowError `input` or `usage` for a declaration that is wrong or asks for too much
   */
  static async create(
    declaration: FlowDeclaration,
    options: { engine?: Engine; seed?: number; capacity?: number } = {},
  ): Promise<Flow> {
    const flow = await Flow.#build(declaration, options);
    for (const bijection of flow.chain.bijections) await bijection.startNorms?.();
    for (const step of flow.preprocessing) await step.startNorms?.();
    flow.prepare();
    return flow;
  }

  /** As `create`, for parameters that are about to be replaced: no power iteration is spent on those that it starts with. */
  static async blank(
    declaration: FlowDeclaration,
    options: { engine?: Engine; capacity?: number } = {},
  ): Promise<Flow> {
    return Flow.#build(declaration, options);
  }

  static async #build(
    declaration: FlowDeclaration,
    options: { engine?: Engine; seed?: number; capacity?: number },
  ): Promise<Flow> {
    const parsed = parseDeclaration(declaration, "Flow.create");
    const given = resolved(createSchema, options, "Flow.create");
    const engine = given.engine ?? (await WasmEngine.create());
    const capacity = given.capacity ?? samplesAPass(parsed, engine.preferredBatch);
    judgeCost(parsed, paddedLanes(engine, capacity), "this declaration");
    return new Flow(parsed, engine, given.seed, capacity);
  }

  private constructor(declaration: FlowDeclaration, engine: Engine, seed: number, capacity: number) {
    const { dim, image, dequantization, standardisation, estimator, bijections } = declaration;
    this.declaration = declaration;
    this.dim = dim;
    this.engine = engine;
    this.capacity = capacity;
    this.parameters = new Parameters();
    const shape: Shape = image ?? { channels: dim, height: 1, width: 1 };
    this.chain = new Chain(engine, this.parameters, { shape, bijections, estimator, seed, capacity });
    const fresh = (index: number) => new Random(seed, Purpose.initialisation, bijections.length + index);
    this.preprocessing = [
      ...(image && dequantization
        ? [
            new LearnedNoise(
              engine,
              this.parameters.ownedBy("the noise"),
              image,
              dequantization.network,
              [fresh(0), fresh(1)],
              capacity,
            ),
          ]
        : []),
      ...(image ? [new Logit(image)] : standardisation ? [new Standardisation(standardisation)] : []),
    ];
    const batch = paddedLanes(engine, capacity);
    this.base = makeBase(declaration.base ?? { kind: "normal" }, {
      engine,
      parameters: this.parameters.ownedBy("the base"),
      dim,
      capacity: batch,
      random: fresh(2),
    });
    this.gradients = joint([
      ...this.chain.bijections,
      ...this.preprocessing.flatMap(({ gradients }) => gradients ?? []),
      this.base,
    ]);
    this.parameters.seal();
    this.#logDet = engine.tensor(batch);
    this.#logBase = engine.tensor(batch);
    this.#logDetBar = engine.tensor(batch);
    this.#staging = new Float64Array(dim * batch);
    this.#outside = new Uint8Array(capacity);
    const turns = new Turns();
    this.chain.pause = async () => {
      await turns.give();
      this.#signal?.throwIfAborted();
    };
  }

  /**
   * Does `work` when all calls before it that use the flow's memory have ended; later ones wait for it. Others get their
   * turn on this thread while it works. A `signal` that aborts ends the waiting at once and the work between two blocks,
   * with the signal's reason.
   */
  inTurn<Result>(work: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    let begun = false;
    const run = this.#turn.then(async () => {
      signal?.throwIfAborted();
      begun = true;
      this.#signal = signal;
      try {
        return await work();
      } finally {
        this.#signal = undefined;
      }
    });
    this.#turn = run.catch(() => {});
    if (!signal) return run;
    return new Promise((resolve, reject) => {
      const leave = () => {
        if (!begun) reject(signal.reason);
      };
      signal.addEventListener("abort", leave, { once: true });
      run.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
    });
  }

  /**
   * Sends all parameters to the engine; every block is a contraction then. Maps do so by themselves where a parameter
   * has changed since.
   */
  prepare(): void {
    this.chain.prepare();
    for (const step of this.preprocessing) step.prepare?.();
    this.base.prepare();
    this.#sent = null;
  }

  /** Sends the parameters if they have changed, and makes every block a contraction for certain. */
  makeReady(): void {
    const fingerprint = this.parameters.fingerprint();
    if (fingerprint !== this.#sent) {
      this.prepare();
      this.#sent = fingerprint;
    }
    this.chain.makeCertain();
  }

  /**
   * Of every bijection with a certified bound its place in the chain (from 1), its kind, and an upper bound on its network's
   * Lipschitz constant, as maps compute with it: below 1 unless the declaration limits norms by estimates. `tight` bounds
   * of convolutions take a hundred times as long.
   */
  certifiedBounds(
    effort?: "certain" | "tight",
  ): Promise<{ block: number; kind: string; lipschitzBound: number }[]> {
    return this.inTurn(async () => {
      this.makeReady();
      return this.chain.bijections.flatMap((bijection, index) =>
        bijection.lipschitzBound
          ? [{ block: index + 1, kind: bijection.kind, lipschitzBound: bijection.lipschitzBound(effort) }]
          : [],
      );
    });
  }

  /** At most `rounds` rounds of power iteration on every weight (default: what a training step does). Not in turn. */
  async iterate(rounds?: number): Promise<void> {
    await this.chain.iterate(rounds);
    for (const step of this.preprocessing) await step.iterate?.(rounds);
  }

  /** The blocks that hold a network, with their places in the chain. */
  get blocks(): { index: number; block: LipschitzBlock }[] {
    return this.chain.blocks;
  }

  /**
   * Iterates the spectral norms to convergence, so that every weight keeps its limit; for the end of training, whose weights
   * `change` may put in place in the same turn.
   */
  convergeNorms(change: () => void = () => {}): Promise<void> {
    return this.inTurn(async () => {
      change();
      await this.iterate(LAST_ROUNDS);
      this.prepare();
    });
  }

  /**
   * z = F(x) and log|det dF/dx| for each row of x, preprocessing included; logDet in nats. Rows outside of the support
   * (`logProb`) have no latent: there z is Infinity and logDet -Infinity.
   */
  async forward(x: Samples, options: MapOptions = {}): Promise<{ z: Table; logDet: Float64Array }> {
    const { out, terms } = await this.#map(x, "forward", options);
    return { z: out, logDet: sumOf(terms, out.rows) };
  }

  /** x = F^-1(z) and log|det dF^-1/dz| for each row of z, numbers of at most 1e18; logDet in nats. */
  async inverse(z: Samples, options: MapOptions = {}): Promise<{ x: Table; logDet: Float64Array }> {
    const { out, terms } = await this.#map(z, "inverse", options);
    return { x: out, logDet: sumOf(terms, out.rows) };
  }

  /**
   * log p(x) for each row of x, in nats, in the units of the original columns. With learned noise: of the pixels in x,
   * noise in x being left out, one draw of log p(x + u) - log q(u | x), whose mean is a lower bound of log P(x); the
   * draw is named by `options.seed` and the row's number.
   *
   * -Infinity outside of the support: for pixels that the logit does not reach (with learned noise: outside of
   * 0 to `levels`), and for numbers that are infinite or beyond 1e18 deviations. NaN in x is an `input` error.
   */
  async logProb(x: Samples, options: MapOptions = {}): Promise<Float64Array> {
    const { out, terms } = await this.#map(x, "density", options);
    return sumOf(terms, out.rows);
  }

  /** The terms whose sum `logProb` is, in the order in which it adds them; `flowPath` has one for each bijection. */
  async logProbTerms(x: Samples, options: MapOptions = {}): Promise<readonly Term[]> {
    return (await this.#map(x, "density", options)).terms;
  }

  /**
   * The score d log p(x) / dx for each row of x, in nats a unit of its column, by the backward pass of training: through
   * preprocessing, implicit blocks and exact log-determinants. NaN where the density is 0. Throws a `usage` error for flows
   * that estimate their log-determinants, an `input` one for NaN in x.
   */
  async score(x: Samples, options: ScoreOptions = {}): Promise<Table> {
    const { failures, signal } = resolved(scoreSchema, options, "score");
    const exact = !this.declaration.estimator;
    check(exact, "usage", "a flow that estimates its log-determinants has no exact score");
    const input = checkedSamples(x, this.dim);
    const work = async () => {
      try {
        return await this.#scores(input, failures);
      } finally {
        await discardGradient(this.gradients);
      }
    };
    return await this.inTurn(work, signal);
  }

  async #scores(input: Table, failures: FailedRows | undefined): Promise<Table> {
    const { capacity, dim } = this;
    this.makeReady();
    const out = new Table(input.rows, dim);
    const failed = failures ?? new FailedRows();
    failed.rows += input.rows;
    const logProb = new Float64Array(capacity);
    for (let start = 0; start < input.rows; start += capacity) {
      const count = Math.min(capacity, input.rows - start);
      const pass = { seed: 0, step: 0, first: start, training: false };
      this.chain.clearUnconverged();
      await this.enter(input.slice(start, start + count).values, count, pass, true);
      const bars = await this.#rowsOf(await this.#backwardPass(count, -1, logProb, pass), count);
      for (const step of [...this.preprocessing].reverse()) step.backward(bars, count, 1);
      out.values.set(bars, start * dim);
      const places = this.chain.unconvergedPlaces(count, "forward");
      for (let i = 0; i < count; i++) {
        const row = out.row(start + i);
        if (this.isOutside(i)) row.fill(Number.NaN);
        else if (places[i] > 0 || !row.every(Number.isFinite)) {
          failed.add(start + i, places[i]);
          row.fill(Number.NaN);
        }
      }
    }
    if (!failures) failed.check();
    return out;
  }

  /** `count` samples; the same seed gives the same samples. */
  async sample(count: number, options: SampleOptions = {}): Promise<Table> {
    const { seed, failures, signal } = resolved(sampleSchema, options, "sample");
    checkedSize(count);
    const work = () => this.mapRows(this.latents(count, seed), "inverse", { logDet: false, failures });
    return (await this.inTurn(work, signal)).out;
  }

  /** `count` draws of the base distribution, a row each; each depends on the seed and its own number only. Not in turn. */
  latents(count: number, seed: number): Table {
    checkedSize(count);
    this.base.prepare();
    return this.base.sample(count, seed);
  }

  /** All rows as they are at the call, when the calls before it have ended. */
  async #map(samples: Samples, map: MapKind, options: MapOptions): Promise<Mapped> {
    const input = checkedSamples(samples, this.dim, map === "inverse" ? "latents" : "data");
    const given = resolved(mapSchema, options, map === "density" ? "logProb" : map);
    return await this.inTurn(() => this.mapRows(input, map, given), given.signal);
  }

  /** All rows, `capacity` at a time. Not in turn: for whoever has taken one. */
  async mapRows(
    input: Table,
    map: MapKind,
    { seed = 0, first = 0, exact = false, logDet = true, failures }: MapOptions,
  ): Promise<Mapped> {
    const { dim, capacity } = this;
    const wanted = logDet || map === "density";
    this.makeReady();
    const out = new Table(input.rows, dim);
    const terms = this.#termNames(map).map((name) => ({ name, values: new Float64Array(input.rows) }));
    const failed = failures ?? new FailedRows();
    failed.rows += input.rows;
    for (let start = 0; start < input.rows; start += capacity) {
      const count = Math.min(capacity, input.rows - start);
      const { values } = input.slice(start, start + count);
      const pass = { seed, step: 0, first: first + start, training: false, exact };
      this.chain.clearUnconverged();
      const { points, terms: found } = await this.#pass(values, count, map, pass, wanted);
      out.values.set(points, start * dim);
      if (wanted) for (const [n, own] of found.entries()) terms[n].values.set(own, start);
      const places = this.chain.unconvergedPlaces(count, map === "inverse" ? "inverse" : "forward");
      for (let i = start; i < start + count; i++) {
        const row = out.row(i);
        if (this.isOutside(i - start)) {
          row.fill(Number.POSITIVE_INFINITY);
          if (wanted) for (const { values } of terms) values[i] = Number.NEGATIVE_INFINITY;
        } else if (places[i - start] > 0 || !isSound(row, terms, i)) {
          failed.add(first + i, places[i - start]);
          row.fill(Number.NaN);
          for (const { values } of terms) values[i] = Number.NaN;
        }
      }
    }
    if (!failures) failed.check();
    return { out, terms };
  }

  #termNames(map: MapKind): string[] {
    const steps = this.preprocessing.filter(({ drawn }) => map === "density" || !drawn);
    return [...(map === "density" ? ["base"] : []), "log-determinant", ...steps.map(({ term }) => term)];
  }

  /** One pass: the points that come out, row-major, and the terms in the order of their names. */
  async #pass(
    values: Float64Array,
    count: number,
    map: MapKind,
    pass: PassKey,
    wanted: boolean,
  ): Promise<{ points: Float64Array; terms: readonly Float64Array[] }> {
    if (map === "inverse") return this.#inversePass(values, count, pass, wanted);
    await this.enter(values, count, pass, map === "density");
    const z = await this.#forward(count, pass, wanted);
    const points = await this.#rowsOf(z, count);
    if (!wanted) return { points, terms: [] };
    const base = map === "density" ? [await this.#logBaseOf(z, count)] : [];
    const logDet = await this.#numbersOf(this.#logDet, count);
    return { points, terms: [...base, logDet, ...this.#terms.map((term) => term.values)] };
  }

  async #inversePass(values: Float64Array, count: number, pass: PassKey, wanted: boolean) {
    this.#put(values, count);
    const logDet = this.#fresh(this.#logDet, count);
    const x = await this.chain.inverse(count, pass, wanted ? logDet : null);
    const rows = new Rows(await this.#rowsOf(x, count), count, this.dim);
    const steps = [...this.preprocessing].reverse();
    for (const step of steps) step.inverse(rows);
    const undone = this.preprocessing.filter(({ drawn }) => !drawn);
    // Of all steps together: a flow has one that is not drawn, at most.
    const terms = [await this.#numbersOf(this.#logDet, count), ...undone.map(() => rows.term)];
    return { points: rows.values, terms };
  }

  /**
   * Puts `count` samples (row-major) at the start of the chain, behind the preprocessing: with learned noise, where the flow
   * has it, if they are `data`. Returns the terms of the preprocessing.
   */
  async enter(
    values: ArrayLike<number>,
    count: number,
    pass: PassKey = FRESH,
    data = false,
  ): Promise<readonly Term[]> {
    const rows = new Rows(values, count, this.dim);
    const terms: Term[] = [];
    this.#drawn = false;
    for (const step of this.preprocessing) {
      if (step.drawn && !data) continue;
      this.#drawn ||= step.drawn;
      rows.term.fill(0);
      await step.forward(rows, pass);
      terms.push({ name: step.term, values: rows.term.slice() });
    }
    this.#terms = terms;
    this.#put(rows.values, count, rows.outside);
    return terms;
  }

  /** Writes points (row-major) to the start of the chain, zeros for those outside of the support. */
  #put(values: ArrayLike<number>, count: number, outside?: Uint8Array): void {
    const { dim } = this;
    const lanes = paddedLanes(this.engine, count);
    const staging = this.#staging.subarray(0, dim * lanes).fill(0);
    this.#outside.fill(0);
    if (outside) this.#outside.set(outside);
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < dim; j++) {
        const y = values[i * dim + j];
        staging[j * lanes + i] = y;
        // NaN is no place outside of the support: it makes the row fail.
        if (!supported(y) && !Number.isNaN(y)) this.#outside[i] = 1;
      }
    }
    // They must not keep the others of their pass from converging.
    for (let i = 0; i < count; i++) {
      if (this.isOutside(i)) for (let j = 0; j < dim; j++) staging[j * lanes + i] = 0;
    }
    this.engine.write(this.chain.point(0, count).tensor, staging);
  }

  /** Whether sample i of those that entered last is outside of the support, and zeros went into the chain for it. */
  isOutside(i: number): boolean {
    return this.#outside[i] === 1;
  }

  /** One number a sample, zeros. */
  #fresh(tensor: Tensor, count: number): Matrix {
    const row = matrix(tensor, 1, paddedLanes(this.engine, count));
    this.engine.fill(row, 0);
    return row;
  }

  async #numbersOf(tensor: Tensor, count: number): Promise<Float64Array> {
    const numbers = new Float64Array(count);
    await this.engine.read(tensor, numbers);
    return numbers;
  }

  /** The numbers of a point of the chain, a row a sample. */
  async #rowsOf(point: Matrix, count: number): Promise<Float64Array> {
    const { dim } = this;
    const staging = this.#staging.subarray(0, dim * point.lanes);
    await this.engine.read(point.tensor, staging, point.offset);
    const rows = new Float64Array(count * dim);
    for (let j = 0; j < dim; j++) {
      for (let i = 0; i < count; i++) rows[i * dim + j] = staging[j * point.lanes + i];
    }
    return rows;
  }

  async #forward(count: number, pass: PassKey, withLogDet: boolean): Promise<Matrix> {
    const logDet = this.#fresh(this.#logDet, count);
    await this.chain.forward(count, pass, withLogDet ? logDet : null);
    return this.chain.point(this.chain.length, count);
  }

  async #logBaseOf(z: Matrix, count: number): Promise<Float64Array> {
    await this.base.addLogDensity(this.#fresh(this.#logBase, count), z);
    return this.#numbersOf(this.#logBase, count);
  }

  /**
   * One pass of training: log p of the `count` samples that entered as data into `logProb`, and the gradient of
   * -weight times their sum, left to be collected. Not in turn: a step takes one for all of its passes.
   */
  async likelihoodPass(
    count: number,
    weight: number,
    logProb: Float64Array,
    pass: PassKey = FRESH,
  ): Promise<void> {
    const xBar = await this.#backwardPass(count, weight, logProb, pass);
    if (!this.#drawn) return;
    const rowBars = await this.#rowsOf(xBar, count);
    for (const step of [...this.preprocessing].reverse()) step.backward(rowBars, count, -weight);
  }

  /** The cotangents of what entered the chain. */
  async #backwardPass(count: number, weight: number, logProb: Float64Array, pass: PassKey): Promise<Matrix> {
    const { engine, chain } = this;
    const z = await this.#forward(count, pass, true);
    const terms = [await this.#logBaseOf(z, count), await this.#numbersOf(this.#logDet, count)];
    for (const { values } of this.#terms) terms.push(values);
    for (let i = 0; i < count; i++) {
      logProb[i] = this.isOutside(i)
        ? Number.NEGATIVE_INFINITY
        : terms.reduce((sum, values) => sum + values[i], 0);
    }
    // Lanes beyond the samples must not add to any gradient.
    const bars = new Float64Array(z.lanes).fill(-weight, 0, count);
    const logDetBar = matrix(this.#logDetBar, 1, z.lanes);
    engine.write(this.#logDetBar, bars);
    await this.base.backward(chain.outputBar(count), z, logDetBar);
    return await chain.backward(count, pass, logDetBar);
  }
}

/** What a map computes: z, x, or z with its density. */
export type MapKind = "forward" | "inverse" | "density";

/** What a map gives: points (row-major), and the terms of its numbers. */
export interface Mapped {
  out: Table;
  terms: readonly Term[];
}

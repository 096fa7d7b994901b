/**
 * One Lipschitz network G, and the three bijections that it makes:
 * y = x + G(x); y + G(y) = x; y = F(x) with F = ((Id + G)/2)^-1 - Id.
 * What is measured is computed in float64; optimisation goes on in float32, which is faster.
 */

import { ExactRegime } from "../../bijections/exact-regime.js";
import { InverseResidual } from "../../bijections/inverse-residual.js";
import type { LipschitzBlock } from "../../bijections/lipschitz-block.js";
import { Monotone } from "../../bijections/monotone.js";
import type { Regime } from "../../bijections/regime.js";
import { Residual } from "../../bijections/residual.js";
import { type Engine, type Matrix, matrix, paddedLanes } from "../../engine/engine.js";
import { ReferenceEngine } from "../../engine/reference/engine.js";
import { WasmEngine } from "../../engine/wasm/engine.js";
import type { Formulation } from "../../flows/monotone-flow.js";
import { FRESH } from "../../logdet/probes.js";
import { collectGradient } from "../../model/gradients.js";
import { Parameters } from "../../model/parameters.js";
import type { Random } from "../../model/random.js";
import { LipschitzNetwork } from "../../networks/lipschitz-network.js";
import { Table } from "../../table.js";
import { Adam } from "../../training/adam.js";

export const formulations: readonly Formulation[] = ["residual", "inverse-residual", "monotone"];

export interface LipschitzMapOptions {
  readonly dim: number;
  /** The bound on Lip(G): the weights' norms are at most its (depth + 1)-th root. */
  readonly lipschitz: number;
  readonly depth: number;
  /** Channels of each layer after its activation. */
  readonly width: number;
  readonly activation: string;
  /** Of the weights before they are normalised: uniform on +-scale / sqrt(fan-in). Large ones meet their bound. */
  readonly scale: number;
  /** Samples that a call can take. */
  readonly capacity: number;
}

/** The cotangents of outputs and log-determinants that say what an optimisation descends on. */
export interface Cotangents {
  readonly output?: Float64Array;
  readonly logDet?: Float64Array;
}

export interface Mapped {
  readonly out: Table;
  readonly logDet: Float64Array;
  /** Rows whose solve missed its tolerance, or whose result is not finite: of maps their numbers are NaN. */
  readonly failed: readonly number[];
}

/** One step of Adam at a time, of so much, down the loss whose cotangents are given; returns what was mapped before it. */
export type Descent = (rate: number, loss: (mapped: Mapped) => Cotangents) => Promise<Mapped>;

/** An optimisation by Adam. */
export interface Optimisation {
  readonly formulation: Formulation;
  readonly x: Table;
  readonly steps: number;
  /** Adam's step size at the start; it falls along a half cosine. */
  readonly rate: number;
  /** The cotangents of the loss for F(x) and log|det dF/dx|. */
  loss(mapped: Mapped): Cotangents;
}

/** Power iterations at a time, and how often at most, until every weight keeps its limit. */
const ROUNDS = 500;
const MAX_REPEATS = 20;
/** How much lower than asked for the limits are set: what power iterations that have converged may miss. */
const SAFETY = 1e-6;
/** Adam's step size sinks to this part of itself. */
const LAST_RATE = 0.02;

export class LipschitzMap {
  readonly network: LipschitzNetwork;
  readonly #options: LipschitzMapOptions;
  readonly #engine: Engine;
  readonly #parameters = new Parameters();
  readonly #blocks: Record<Formulation, LipschitzBlock>;
  readonly #input: Matrix;
  readonly #out: Matrix;
  readonly #logDet: Matrix;

  /** A random network in float64, or on another engine. */
  constructor(options: LipschitzMapOptions, random: Random, engine: Engine = new ReferenceEngine()) {
    const { dim, lipschitz, depth, width, activation, scale } = options;
    this.#options = options;
    this.#engine = engine;
    this.network = new LipschitzNetwork(
      this.#engine,
      this.#parameters,
      "g",
      dim,
      {
        kind: "multilayer",
        depth,
        growth: width,
        activation,
        coeff: (lipschitz * (1 - SAFETY)) ** (1 / (depth + 1)),
        lip: lipschitz,
        powerIterations: 5,
        learnConcatenationFrom: 0,
      },
      random,
    );
    this.#parameters.seal();
    for (const { name, shape, values } of this.#parameters.list) {
      if (!/weight|bias/.test(name)) continue;
      const bound = name.includes("weight") ? scale / Math.sqrt(shape[1]) : 1;
      values.set(values.map(() => bound * (2 * random.uniform() - 1)));
    }
    const make = (Block: new (engine: Engine, regime: Regime) => LipschitzBlock) =>
      new Block(engine, new ExactRegime(engine, this.network, options.capacity));
    this.#blocks = {
      residual: make(Residual),
      "inverse-residual": make(InverseResidual),
      monotone: make(Monotone),
    };
    const capacity = paddedLanes(engine, options.capacity);
    const place = (rows: number) => matrix(engine.tensor(rows * capacity), rows, capacity);
    [this.#input, this.#out, this.#logDet] = [place(dim), place(dim), place(1)];
    this.convergeNorms();
  }

  /** The certified upper bound on Lip(G). */
  get lipschitzBound(): number {
    return this.network.lipschitzBound();
  }

  /** Iterates the spectral norms until the certified bound is what was asked for, or no better. */
  convergeNorms(): void {
    for (let n = 0; n < MAX_REPEATS; n++) {
      void this.network.iterate(ROUNDS); // Matrices: at once.
      this.network.prepare();
      if (this.lipschitzBound <= this.#options.lipschitz) return;
    }
  }

  /** G(w) for each row. */
  async value(w: Table): Promise<Table> {
    const { out } = await this.forward("residual", w);
    return new Table(
      w.rows,
      w.columns,
      out.values.map((y, i) => y - w.values[i]),
    );
  }

  async forward(formulation: Formulation, x: Table): Promise<Mapped> {
    return withoutFailed(await this.#map(formulation, "forward", x));
  }

  async inverse(formulation: Formulation, y: Table): Promise<Mapped> {
    return withoutFailed(await this.#map(formulation, "inverse", y));
  }

  async #map(formulation: Formulation, direction: "forward" | "inverse", samples: Table): Promise<Mapped> {
    const { rows, columns } = samples;
    const lanes = paddedLanes(this.#engine, rows);
    const [input, out, logDet] = this.#places(rows);
    const { counts } = this.#blocks[formulation];
    counts.unconvergedLanes = [];
    this.#engine.write(input.tensor, channels(samples.values, rows, columns, lanes));
    this.#engine.fill(logDet, 0);
    await this.#blocks[formulation][direction](out, input, logDet, FRESH);
    const values = new Float64Array(lanes * columns);
    await this.#engine.read(out.tensor, values);
    const result = { out: new Table(rows, columns), logDet: new Float64Array(rows) };
    result.out.values.forEach((_, i, all) => {
      all[i] = values[(i % columns) * lanes + Math.floor(i / columns)];
    });
    await this.#engine.read(logDet.tensor, result.logDet);
    const missed = new Set(counts.unconvergedLanes);
    const failed = Array.from({ length: rows }, (_, i) => i).filter(
      (i) => missed.has(i) || !Number.isFinite(result.logDet[i]) || !result.out.row(i).every(Number.isFinite),
    );
    return { ...result, failed };
  }

  /** Input, output and log-determinant for so many samples: rows stand next to each other. */
  #places(samples: number): Matrix[] {
    const lanes = paddedLanes(this.#engine, samples);
    return [this.#input, this.#out, this.#logDet].map((m) => ({ ...m, lanes, stride: lanes }));
  }

  /** A network optimised from random weights. */
  static async optimised(
    options: LipschitzMapOptions,
    random: Random,
    optimisation: Optimisation,
  ): Promise<LipschitzMap> {
    const fast = new LipschitzMap(options, random, await WasmEngine.create());
    const { formulation, x, steps, rate, loss } = optimisation;
    const descend = fast.descent(formulation, x);
    for (let step = 0; step < steps; step++) await descend(rate * fallingRate(step / steps), loss);
    const exact = new LipschitzMap(options, random);
    exact.takeWeights(fast);
    return exact;
  }

  /** Takes the weights of a network of the same shape, and normalises them to this one's own Lipschitz bound. */
  takeWeights(from: LipschitzMap): void {
    this.#parameters.load(new Map(from.#parameters.list.map((p) => [p.name, p.values])), "the network");
    this.convergeNorms();
  }

  /** Descends on a loss of F(x) and its log-determinants, from the weights at hand. */
  descent(formulation: Formulation, x: Table): Descent {
    const { rows, columns } = x;
    const block = this.#blocks[formulation];
    const adam = new Adam(this.#parameters, { l2: 0 });
    const lanes = paddedLanes(this.#engine, rows);
    const [inputBar, outputBar, logDetBar] = this.#places(rows);
    const zeros = new Float64Array(rows * columns);
    let step = 0;
    return async (rate, loss) => {
      await block.iterate();
      block.prepare();
      this.#parameters.gradient.fill(0);
      // As in all training: a sample whose solve missed its tolerance is of use all the same.
      const mapped = await this.#map(formulation, "forward", x);
      const bars = loss(mapped);
      this.#engine.write(outputBar.tensor, channels(bars.output ?? zeros, rows, columns, lanes));
      this.#engine.write(logDetBar.tensor, channels(bars.logDet ?? zeros, rows, 1, lanes));
      await block.backward(inputBar, outputBar, logDetBar, FRESH);
      await collectGradient(block);
      adam.update(step++, rate);
      return mapped;
    };
  }
}

/** No number comes from a failed computation. */
function withoutFailed(mapped: Mapped): Mapped {
  for (const i of mapped.failed) {
    mapped.out.row(i).fill(Number.NaN);
    mapped.logDet[i] = Number.NaN;
  }
  return mapped;
}

/** From 1 to almost nothing along half a cosine, while `share` goes from 0 to 1. */
export function fallingRate(share: number): number {
  return LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + Math.cos(Math.PI * share));
}

/** Row-major samples as one row of `lanes` numbers a dimension, the lanes beyond the samples zero. */
function channels(values: Float64Array, rows: number, columns: number, lanes: number): Float64Array {
  const out = new Float64Array(columns * lanes);
  for (let i = 0; i < rows * columns; i++) out[(i % columns) * lanes + Math.floor(i / columns)] = values[i];
  return out;
}

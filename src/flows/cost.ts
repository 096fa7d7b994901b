/**
 * What a flow costs, from its declaration alone: numbers that it learns, memory, and work. It is judged by that before
 * anything is built, so that a declaration that asks for too much ends with a sentence.
 */
import { activation } from "../activations/index.js";
import { learnedNumbers } from "../bases/index.js";
import { bijectionKind, shapeAfter } from "../bijections/index.js";
import type { CostSum } from "../bijections/kind.js";
import { check, type ErrorCode } from "../errors.js";
import type { Estimator } from "../logdet/estimator.js";
import { kernelsOf, type NetworkDeclaration } from "../networks/declaration.js";
import { ROW_GAP } from "../networks/workspace.js";
import { type Shape, sizeOf } from "../shape.js";
import type { FlowDeclaration } from "./declaration.js";

/** What a flow costs, and the parts of its memory in bytes by name. */
export interface Cost {
  /** Numbers that are learned. */
  readonly parameters: number;
  /** Bytes on the engine, of float32 numbers. */
  readonly engineBytes: number;
  /** Bytes on the host: parameters with gradient, Adam's moments and what a step sums, in float64. */
  readonly hostBytes: number;
  /** Multiply-adds of a pass at full capacity: a solve and a log-determinant of every block, on the long side. */
  readonly work: number;
  readonly parts: ReadonlyMap<string, number>;
}

const FLOAT = 4;
/** Float64 copies of a parameter: value, gradient, two moments, average, what is sent, sums. */
const HOST_COPIES = 8;
/** The memory that WebAssembly can have. */
const ENGINE_LIMIT = 2 ** 32;
/** Evaluations of a network in a solve, as a rule at most. */
const EVALUATIONS = 40;
const MEGABYTE = 1e6;

/** Limits, which environment variables raise. */
const LIMITS = {
  MONOTONE_FLOWS_MAX_MODEL_MB: 16_000,
  /** Teraoperations of a pass: hours of a core. */
  MONOTONE_FLOWS_MAX_PASS_TERAOPS: 1_000,
};

/** The limit that a variable sets, or the default; a value that is no positive number counts for nothing. */
function limit(name: keyof typeof LIMITS): number {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  const value = Number(process?.env?.[name]);
  return value > 0 ? value : LIMITS[name];
}

/** Sizes of a network: rows of its bank and of its pre-activations, learned numbers, and multiply-adds a place. */
function networkSizes(declaration: NetworkDeclaration, channels: number) {
  const { kind, depth, growth, stem, preactivation, activation: name } = declaration;
  const { outputs } = activation(name);
  const kernels = kernelsOf(declaration);
  const start = stem || preactivation ? channels : 0;
  const features = stem ?? (preactivation ? outputs * channels : channels);
  let numbers = stem ? stem * (channels + 1) : 0;
  let pre = stem ?? 0;
  for (let layer = 0; layer <= depth; layer++) {
    const columns = kind === "dense" ? features + layer * growth : layer === 0 ? features : growth;
    const rows = layer === depth ? channels : growth / outputs;
    numbers += rows * (columns * kernels[layer] ** 2 + 1);
    if (layer < depth) pre += rows;
  }
  return { bank: start + features + depth * growth, pre, numbers, slopes: depth * growth };
}

/** Terms of a series, as a rule at most. */
function terms({ law, rate, exactTerms, exactTermsInEvaluation }: Estimator): number {
  return Math.max(exactTerms, exactTermsInEvaluation) + (law === "geometric" ? 1 / rate : rate);
}

/** The cost of a flow that takes `capacity` samples a pass. */
export function costOf(declaration: FlowDeclaration, capacity: number): Cost {
  const { dim, image, estimator, bijections, dequantization, base } = declaration;
  const parts = new Map<string, number>();
  const count = (part: string, numbers: number) => parts.set(part, (parts.get(part) ?? 0) + FLOAT * numbers);
  let parameters = 0;
  let work = 0;
  const seen = new Set<string>();
  let scratch = 0;

  const network = (options: NetworkDeclaration, shape: Shape, tangents: number, estimated: boolean) => {
    const places = shape.height * shape.width;
    const { bank, pre, numbers, slopes } = networkSizes(options, shape.channels);
    const gap = places > 1 ? ROW_GAP : 0;
    const lanes = capacity * places * (1 + tangents) + gap;
    const values = capacity * places + gap;
    const whole = (bank + pre + shape.channels) * lanes;
    const shared = whole + (pre + shape.channels + slopes) * values;
    const key = JSON.stringify([options, shape]);
    const fresh = !seen.has(key);
    seen.add(key);
    // Blocks that estimate share all activations with their like, others those of the backward pass.
    count("activations", estimated ? (fresh ? whole + shared : 0) : whole + (fresh ? shared : 0));
    count("weights on the engine", 2 * numbers);
    parameters += numbers;
    const product = numbers * capacity * places;
    work += estimated
      ? product * (EVALUATIONS + 3 * tangents * terms(estimator as Estimator))
      : product * (1 + tangents) * EVALUATIONS;
    work += numbers * options.powerIterations * places;
  };

  let shape: Shape = image ?? { channels: dim, height: 1, width: 1 };
  count("points between the blocks", (bijections.length + 6) * dim * capacity);
  const sum: CostSum = {
    learns: (numbers) => {
      parameters += numbers;
    },
    keeps: count,
    works: (operations) => {
      work += operations;
    },
    network(own, at) {
      network(own, at, estimator ? estimator.probes : dim, estimator !== undefined);
      if (!estimator) return count("points between the blocks", (5 * at.channels + 4) * capacity);
      const size = sizeOf(at) * capacity;
      count("points between the blocks", (1 + estimator.probes) * size);
      // The solver's points and residuals, and the vectors of a series.
      scratch = Math.max(scratch, 20 * size);
    },
  };
  for (const bijection of bijections) {
    bijectionKind(bijection).cost?.(sum, bijection, shape, capacity);
    shape = shapeAfter(bijection, shape);
  }
  if (dequantization && image) {
    for (let i = 0; i < 2; i++) network(dequantization.network, image, 0, false);
  }
  if (base) parameters += learnedNumbers(base, dim);
  count("solvers", scratch);
  const engineBytes = [...parts.values()].reduce((a, b) => a + b, 0);
  const hostBytes = 8 * HOST_COPIES * parameters + 8 * 8 * dim * capacity;
  parts.set("weights, gradients and moments", hostBytes);
  return { parameters, engineBytes, hostBytes, work, parts };
}

/**
 * Throws, naming the largest part, if a flow takes more memory or work than is allowed, or its training more for
 * batches of that size.
 */
export function judgeCost(
  declaration: FlowDeclaration,
  capacity: number,
  where: string,
  code: ErrorCode = "input",
  batch = 0,
): void {
  const cost = costOf(declaration, capacity);
  // Drawn samples, and the points of an actnorm's start.
  const batchBytes = 2 * 8 * batch * declaration.dim;
  const bytes = cost.engineBytes + cost.hostBytes + batchBytes;
  const parts = new Map([...cost.parts, [`batches of ${batch} samples`, batchBytes]]);
  const [largest, size] = [...parts].reduce((a, b) => (b[1] > a[1] ? b : a));
  const megabytes = limit("MONOTONE_FLOWS_MAX_MODEL_MB");
  const asks = `${where}: the flow asks for ${inBytes(bytes)} of memory (the largest part is ${inBytes(size)} of ${largest}; it has ${inWords(cost.parameters)} parameters)`;
  check(
    bytes <= megabytes * MEGABYTE,
    code,
    `${asks}, more than the ${inBytes(megabytes * MEGABYTE)} that MONOTONE_FLOWS_MAX_MODEL_MB allows`,
  );
  check(
    cost.engineBytes <= ENGINE_LIMIT,
    code,
    `${asks}, more than the 4.3 GB that WebAssembly can have: use smaller networks or fewer blocks`,
  );
  const teraops = limit("MONOTONE_FLOWS_MAX_PASS_TERAOPS");
  check(
    cost.work <= teraops * 1e12,
    code,
    `${where}: a pass of ${capacity} samples through the flow asks for about ${inWords(cost.work)} multiplications, more than the ${inWords(teraops * 1e12)} that MONOTONE_FLOWS_MAX_PASS_TERAOPS allows`,
  );
}

const inWords = (x: number) => (x < 1e6 ? String(Math.round(x)) : x.toExponential(1));

function inBytes(x: number): string {
  if (x < 1e9) return `${Math.ceil(x / MEGABYTE)} MB`;
  return `${x < 1e14 ? (x / 1e9).toFixed(1) : (x / 1e9).toExponential(1)} GB`;
}

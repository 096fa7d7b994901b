/**
 * A certificate of invertibility: true upper bounds on the Lipschitz constants of all networks, the error of
 * going there and back, and the log-determinant against that of a numerical Jacobian in float64; where it is
 * estimated, the mean of many estimates against that of the flow's own whole Jacobians, and these, of images small enough,
 * against numerical ones in float64.
 */
import { Table } from "../table.js";
import { FailedRows } from "./failed-rows.js";
import type { Flow } from "./flow.js";
import { logDetOfChain, logDetOfMap, workOfChain } from "./numerical-log-det.js";

/** What a flow in float32 has to keep to. */
export const LIMITS = { lipschitz: 1, roundTrip: 1e-4, logDet: 1e-3 } as const;

/** Estimates a sample that are averaged, and how many standard errors their mean may be off. */
const ESTIMATES = 256;
const STANDARD_ERRORS = 5;
/** What they may be off at most, in nats a dimension, however much the estimates scatter. */
const MOST_ERROR = 0.02;
/** Dimensions up to which whole Jacobians are computed to check estimates, and samples that they are computed for. */
export const LARGEST_JACOBIAN = 1_024;
const CHECKED_IMAGES = 4;
/** Rows of the passes in which estimates are drawn: copies of those images. */
const COPIES = 64;

/** What the numerical Jacobians may take: of vectors samples times dimensions, of images multiply-adds. */
const JACOBIAN_BUDGET = 1_000;
const CHAIN_BUDGET = 5e8;

/** What `certify` has found; of vectors and images alike. */
export interface Certificate {
  /** Whether every limit is kept. */
  ok: boolean;
  /** Each block with a network: its place in the chain (from 1), its kind, and its certified bound. */
  blocks: { block: number; kind: string; lipschitzBound: number }[];
  /**
   * Largest error, in standardised units or in the range of a pixel, of x -> z -> x and of z -> x -> z; NaN where a row
   * has failed on its way.
   */
  roundTrip: number;
  /** Of x -> z -> x alone. */
  roundTripData: number;
  /** Of z -> x -> z alone. */
  roundTripLatent: number;
  /**
   * Largest difference of the log-determinant, in nats, and the number of samples it was taken over; null where
   * there are too many dimensions for whole Jacobians, NaN where a sample has failed. Of estimates it is that of their
   * means.
   */
  logDetError: number | null;
  /** Samples that `logDetError` was taken over. */
  logDetSamples: number;
  /** What it may be: of means of estimates some standard errors. */
  logDetLimit: number;
  /**
   * By how many nats the log-determinant of the flow's own whole Jacobian at the first image differs from that of a
   * numerical one in float64, held to `LIMITS.logDet`; null of vectors and of images that are too large, NaN if one of
   * the two has failed.
   */
  jacobianError: number | null;
  /** Rows of these maps on whose way a solve missed its tolerance, and others whose result was not finite. */
  unconverged: number;
  /** Rows whose solves converged, but whose result was not finite. */
  notFinite: number;
  /** One sentence for every limit that is broken. */
  failures: string[];
}

/**
 * The blocks whose certified bounds are not below 1, with their places in the chain (from 1): nothing proves that these are
 * invertible. Only flows whose norms are estimated have any.
 */
export function uncertifiedBlocks(flow: Flow): { block: number; kind: string; lipschitzBound: number }[] {
  return flow.blocks.flatMap(({ index, block }) => {
    if (block.network.declaration.limit !== "estimated") return [];
    const quick = block.lipschitzBound();
    const lipschitzBound = quick < LIMITS.lipschitz ? quick : block.lipschitzBound("tight");
    return lipschitzBound < LIMITS.lipschitz ? [] : [{ block: index + 1, kind: block.kind, lipschitzBound }];
  });
}

/** Certifies a flow on samples of its data and on latents. Throws nothing: `ok` and `failures` tell. */
export async function certify(flow: Flow, data: Table, latents: Table): Promise<Certificate> {
  const blocks = await flow.certifiedBounds("tight");
  const { standardisation, image, estimator } = flow.declaration;
  const deviation = image ? [image.levels] : (standardisation?.deviation ?? [1]);
  const failed: FailedRows[] = [];
  const collected = () => {
    const failures = new FailedRows();
    failed.push(failures);
    return { failures };
  };
  const there = await throughAndBack(data, [
    (x) => flow.forward(x, { logDet: false, ...collected() }).then(({ z }) => z),
    (z) => flow.inverse(z, { logDet: false, ...collected() }).then(({ x }) => x),
  ]);
  const roundTripData = largestDifference(there, data, deviation);
  const again = await throughAndBack(latents, [
    (z) => flow.inverse(z, { logDet: false, ...collected() }).then(({ x }) => x),
    (x) => flow.forward(x, { logDet: false, ...collected() }).then(({ z }) => z),
  ]);
  const roundTripLatent = largestDifference(again, latents, [1]);
  const logDet = await (estimator ? estimateCheck(flow, data, collected) : exactCheck(flow, data, collected));
  const jacobianError = estimator ? await jacobianCheck(flow, data, collected) : null;
  const unconverged = failed.reduce((sum, failures) => sum + failures.unconverged, 0);
  const notFinite = failed.reduce((sum, failures) => sum + failures.notFinite, 0);
  const roundTrip = larger(roundTripData, roundTripLatent);

  const failures: string[] = [];
  for (const { block, kind, lipschitzBound } of blocks) {
    if (lipschitzBound < LIMITS.lipschitz) continue;
    failures.push(
      `block ${block} (${kind}) is not certified: the bound on its network's Lipschitz constant is ${lipschitzBound.toFixed(6)}, not below 1`,
    );
  }
  if (!(roundTrip < LIMITS.roundTrip)) {
    const way = roundTripData === roundTrip ? "x to z and back" : "z to x and back";
    const off = Number.isNaN(roundTrip)
      ? "fails on its way for some rows"
      : `is off by ${roundTrip.toExponential(2)}`;
    failures.push(`the round trip from ${way} ${off}, not below ${LIMITS.roundTrip}`);
  }
  if (logDet.error !== null && !(logDet.error < logDet.limit)) {
    const off = Number.isNaN(logDet.error)
      ? "is not known"
      : `is off by ${logDet.error.toExponential(2)} nats`;
    failures.push(`the log-determinant ${off}, not below ${Number(logDet.limit.toPrecision(3))}`);
  }
  if (jacobianError !== null && !(jacobianError < LIMITS.logDet)) {
    const off = Number.isNaN(jacobianError)
      ? "is not known"
      : `differs by ${jacobianError.toExponential(2)} nats from that of a numerical one in float64`;
    failures.push(`the log-determinant of a whole Jacobian ${off}, not below ${LIMITS.logDet}`);
  }
  if (unconverged > 0) failures.push(`the solver missed its tolerance for ${unconverged} rows`);
  if (notFinite > 0) failures.push(`${notFinite} rows have results that are not finite`);
  return {
    ok: failures.length === 0,
    blocks,
    roundTrip,
    roundTripData,
    roundTripLatent,
    logDetError: logDet.error,
    logDetSamples: logDet.samples,
    logDetLimit: logDet.limit,
    jacobianError,
    unconverged,
    notFinite,
    failures,
  };
}

/** The larger number; not a number wins, so that it is never overlooked. */
const larger = (a: number, b: number) => (a >= b || Number.isNaN(a) ? a : b);

function largestDifference(a: Table, b: Table, deviation: readonly number[]): number {
  return a.values.reduce(
    (most, x, i) => larger(most, Math.abs(x - b.values[i]) / deviation[i % deviation.length]),
    0,
  );
}

/** Both ways, of the rows that have come through the first: the others are NaN, which no map takes. */
async function throughAndBack(
  rows: Table,
  [there, back]: readonly [(rows: Table) => Promise<Table>, (rows: Table) => Promise<Table>],
): Promise<Table> {
  const { columns } = rows;
  const middle = await there(rows);
  const arrived = Array.from({ length: rows.rows }, (_, i) => i).filter((i) =>
    Number.isFinite(middle.at(i, 0)),
  );
  const packed = new Table(arrived.length, columns);
  arrived.forEach((i, n) => {
    packed.row(n).set(middle.row(i));
  });
  const result = new Table(rows.rows, columns);
  result.values.fill(Number.NaN);
  const returned = await back(packed);
  arrived.forEach((i, n) => {
    result.row(i).set(returned.row(n));
  });
  return result;
}

interface LogDetCheck {
  error: number | null;
  samples: number;
  limit: number;
}

/** Collects the rows of one more map. */
type Collector = () => { failures: FailedRows };

async function exactCheck(flow: Flow, data: Table, collected: Collector): Promise<LogDetCheck> {
  const samples = Math.min(data.rows, Math.ceil(JACOBIAN_BUDGET / flow.dim));
  const rows = data.slice(0, samples);
  const { logDet } = await flow.forward(rows, collected());
  const numerical = await logDetOfMap(flow, rows, collected().failures);
  return { error: largestError(numerical, logDet), samples, limit: LIMITS.logDet };
}

const largestError = (a: readonly number[], b: Float64Array) =>
  a.reduce((most, value, i) => larger(most, Math.abs(value - b[i])), 0);

/** The flow's own whole Jacobian at the first image against a numerical one in float64; null where that takes too long. */
async function jacobianCheck(flow: Flow, data: Table, collected: Collector): Promise<number | null> {
  if (workOfChain(flow) > CHAIN_BUDGET) return null;
  const rows = data.slice(0, 1);
  const { logDet } = await flow.forward(rows, { exact: true, ...collected() });
  const numerical = await logDetOfChain(flow, rows, collected().failures);
  return largestError(numerical, logDet);
}

/**
 * The mean of estimates against whole Jacobians or, where there are too many dimensions for these, against minus the mean of
 * estimates for the inverse map. The largest difference may be some standard errors, and never more than `MOST_ERROR`.
 */
async function estimateCheck(flow: Flow, data: Table, collected: Collector): Promise<LogDetCheck> {
  const rows = data.slice(0, Math.min(data.rows, CHECKED_IMAGES));
  const there = await meanLogDet(rows, (x, seed) => flow.forward(x, { seed, ...collected() }));
  let back: Means;
  if (flow.dim <= LARGEST_JACOBIAN) {
    const { logDet } = await flow.forward(rows, { exact: true, ...collected() });
    back = { mean: logDet, squaredError: new Float64Array(rows.rows) };
  } else {
    const { z } = await flow.forward(rows, { logDet: false, ...collected() });
    const { mean, squaredError } = await meanLogDet(z, (x, seed) =>
      flow.inverse(x, { seed: seed + ESTIMATES, ...collected() }),
    );
    back = { mean: mean.map((value) => -value), squaredError };
  }
  const most = MOST_ERROR * flow.dim;
  let worst: { error: number; limit: number } = { error: 0, limit: most };
  back.mean.forEach((value, i) => {
    const deviation = Math.sqrt(there.squaredError[i] + back.squaredError[i]);
    const limit = LIMITS.logDet * Math.max(1, Math.abs(value)) + STANDARD_ERRORS * deviation;
    const error = Math.abs(there.mean[i] - value);
    const own = { error, limit: limit < most ? limit : most };
    // Not a number stays.
    if (Number.isNaN(worst.error)) return;
    if (!(own.error / own.limit <= worst.error / worst.limit)) worst = own;
  });
  return { ...worst, samples: rows.rows };
}

interface Means {
  readonly mean: Float64Array;
  /** Of the means. */
  readonly squaredError: Float64Array;
}

/** Means over draws, as many copies of the rows at a time as a pass takes. */
async function meanLogDet(
  rows: Table,
  draw: (x: Table, seed: number) => Promise<{ logDet: Float64Array }>,
): Promise<Means> {
  const copies = Math.max(1, Math.floor(COPIES / rows.rows));
  const many = new Table(copies * rows.rows, rows.columns);
  for (let i = 0; i < copies; i++) many.values.set(rows.values, i * rows.values.length);
  const [mean, squaredError] = [new Float64Array(rows.rows), new Float64Array(rows.rows)];
  const values = rows.toArray().map((): number[] => []);
  for (let seed = 0; values[0].length < ESTIMATES; seed++) {
    const { logDet } = await draw(many, seed);
    logDet.forEach((value, i) => {
      values[i % rows.rows].push(value);
    });
  }
  values.forEach((own, i) => {
    mean[i] = own.reduce((sum, value) => sum + value, 0) / own.length;
    const squares = own.reduce((sum, value) => sum + (value - mean[i]) ** 2, 0);
    squaredError[i] = squares / own.length / (own.length - 1);
  });
  return { mean, squaredError };
}

/**
 * A certificate of invertibility: true upper bounds on the Lipschitz constants of all networks, the error of
 * going there and back, and the log-determinant against that of a numerical Jacobian in float64.
 */
import { ReferenceEngine } from "../engine/reference/engine.js";
import { factorise } from "../engine/reference/linear-algebra.js";
import { Table } from "../table.js";
import { Flow } from "./flow.js";

/** What a flow in float32 has to keep to. */
export const LIMITS = { lipschitz: 1, roundTrip: 1e-4, logDet: 1e-3 } as const;

/** Half the distance of the central differences, about the cube root of float64's rounding. */
const STEP = 6e-6;
/** Evaluations that the numerical Jacobians may take, in samples times dimensions. */
const JACOBIAN_BUDGET = 1_000;

export interface Certificate {
  ok: boolean;
  /** Each block with a network: its place in the chain (from 1), its kind, and its certified bound. */
  blocks: { block: number; kind: string; lipschitzBound: number }[];
  /** Largest error, in standardised units, of x -> z -> x and of z -> x -> z. */
  roundTrip: number;
  roundTripData: number;
  roundTripLatent: number;
  /** Largest difference of the log-determinant, in nats, and the number of samples it was taken over. */
  logDetError: number;
  logDetSamples: number;
  /** Solves that missed their tolerance on the way. */
  unconverged: number;
  /** One sentence for every limit that is broken. */
  failures: string[];
}

/** Certifies a flow on samples of its data and on latents. Throws nothing: `ok` and `failures` tell. */
export async function certify(flow: Flow, data: Table, latents: Table): Promise<Certificate> {
  const blocks = flow.blocks.map(({ index, block }) => ({
    block: index + 1,
    kind: block.kind,
    lipschitzBound: block.lipschitzBound(),
  }));
  const deviation = flow.declaration.standardisation?.deviation ?? [];
  const there = await flow.forward(data);
  const roundTripData = largestDifference((await flow.inverse(there.z)).x, data, deviation);
  const roundTripLatent = largestDifference(
    (await flow.forward((await flow.inverse(latents)).x)).z,
    latents,
    [],
  );
  const logDetSamples = Math.min(data.rows, Math.ceil(JACOBIAN_BUDGET / flow.dim));
  const numerical = await numericalLogDet(flow, data.slice(0, logDetSamples));
  const logDetError = numerical.reduce(
    (most, value, i) => larger(most, Math.abs(value - there.logDet[i])),
    0,
  );
  const unconverged = flow.blocks.reduce((sum, { block }) => sum + block.counts.unconverged, 0);
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
    failures.push(
      `the round trip from ${way} is off by ${roundTrip.toExponential(2)}, not below ${LIMITS.roundTrip}`,
    );
  }
  if (!(logDetError < LIMITS.logDet)) {
    failures.push(
      `the log-determinant is off by ${logDetError.toExponential(2)} nats, not below ${LIMITS.logDet}`,
    );
  }
  if (unconverged > 0) failures.push(`${unconverged} solves missed their tolerance`);
  return {
    ok: failures.length === 0,
    blocks,
    roundTrip,
    roundTripData,
    roundTripLatent,
    logDetError,
    logDetSamples,
    unconverged,
    failures,
  };
}

/** The larger number; not a number wins, so that it is never overlooked. */
const larger = (a: number, b: number) => (a >= b || Number.isNaN(a) ? a : b);

function largestDifference(a: Table, b: Table, deviation: readonly number[]): number {
  return a.values.reduce(
    (most, x, i) => larger(most, Math.abs(x - b.values[i]) / (deviation[i % a.columns] ?? 1)),
    0,
  );
}

/** log|det| of the Jacobian of the forward map, by central differences on the reference engine. */
async function numericalLogDet(flow: Flow, x: Table): Promise<number[]> {
  const { dim } = flow;
  const exact = await Flow.create(flow.declaration, { engine: new ReferenceEngine() });
  exact.parameters.load(new Map(flow.parameters.list.map((p) => [p.name, p.values])), "the flow");
  exact.prepare();
  const steps = Float64Array.from(
    { length: dim },
    (_, j) => STEP * (flow.declaration.standardisation?.deviation[j] ?? 1),
  );
  const probes = new Table(x.rows * dim * 2, dim);
  for (let i = 0, row = 0; i < x.rows; i++) {
    for (let j = 0; j < dim; j++) {
      for (const sign of [1, -1]) {
        probes.values.set(x.row(i), row * dim);
        probes.values[row * dim + j] += sign * steps[j];
        row++;
      }
    }
  }
  const { z } = await exact.forward(probes);
  return Array.from({ length: x.rows }, (_, i) => {
    const jacobian = new Float64Array(dim * dim);
    for (let j = 0; j < dim; j++) {
      const row = (i * dim + j) * 2;
      for (let k = 0; k < dim; k++)
        jacobian[k * dim + j] = (z.at(row, k) - z.at(row + 1, k)) / (2 * steps[j]);
    }
    return factorise(jacobian).logDet;
  });
}

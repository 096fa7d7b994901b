/**
 * log|det dF/dx| in float64, by central differences on the reference engine: a second opinion that has neither jets nor
 * series nor solvers in common with what a flow computes.
 *
 * Of vectors the whole map is differenced. A flow of images has too many directions to solve its equations along each: its
 * Jacobian is the product of those of its steps, and of a block only the network is differenced, at the point w that the
 * block's own equation asks for: from its Jacobian J there follows that of the block, I + J of a residual one, (I + J)^-1 of
 * an inverse residual one, and 2 (I + J)^-1 - I of a monotone one.
 */
import type { LipschitzBlock } from "../bijections/lipschitz-block.js";
import { type Matrix, paddedLanes } from "../engine/engine.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { factorise } from "../linear-algebra.js";
import { FRESH } from "../logdet/probes.js";
import type { LipschitzNetwork } from "../networks/lipschitz-network.js";
import { sizeOf } from "../shape.js";
import { Table } from "../table.js";
import type { FailedRows } from "./failed-rows.js";
import { Flow } from "./flow.js";

/** Half the distance of the central differences, about the cube root of float64's rounding. */
const STEP = 6e-6;
/** Samples that a pass through a network takes. */
const CAPACITY = 16;
/** What the equation of a block may be off at most, next to the size of its point. */
const RESIDUAL = 1e-9;
/** Evaluations of a network in a solve, as a rule at most. */
const SOLVE = 40;

/** A flow of the same declaration and weights in float64. */
async function inFloat64(flow: Flow, capacity?: number): Promise<Flow> {
  const options = { engine: new ReferenceEngine(), ...(capacity === undefined ? {} : { capacity }) };
  const exact = await Flow.blank(flow.declaration, options);
  exact.parameters.load(new Map(flow.parameters.list.map((p) => [p.name, p.values])), "the flow");
  exact.prepare();
  return exact;
}

/** Of each row of x, by differences of the whole map. Rows that fail are collected, and NaN. */
export async function logDetOfMap(flow: Flow, x: Table, failures: FailedRows): Promise<number[]> {
  const exact = await inFloat64(flow);
  let first = 0;
  const map = async (rows: Table) => {
    const { z } = await exact.forward(rows, { logDet: false, failures, first });
    first += rows.rows;
    return z;
  };
  const { standardisation } = flow.declaration;
  const results: number[] = [];
  for (let i = 0; i < x.rows; i++) {
    const jacobian = await differences(map, x.row(i), (j) => standardisation?.deviation[j] ?? 1);
    results.push(factorise(jacobian).logDet);
  }
  return results;
}

/** Multiply-adds that `logDetOfChain` takes for a row. */
export function workOfChain(flow: Flow): number {
  return flow.blocks.reduce((sum, { index, block: { network } }) => {
    const evaluations = 2 * sizeOf(flow.chain.shapes[index]) + SOLVE;
    return sum + evaluations * network.gradientLength * network.places;
  }, 0);
}

/**
 * Of each row of x, by differences of every step of the chain. NaN of a row that fails, which is collected, and where the
 * equation of a block does not hold at the point that its solver has found.
 */
export async function logDetOfChain(flow: Flow, x: Table, failures: FailedRows): Promise<number[]> {
  const exact = await inFloat64(flow, CAPACITY);
  const results: number[] = [];
  for (let i = 0; i < x.rows; i++) results.push(await logDetAt(exact, x.slice(i, i + 1), failures));
  return results;
}

async function logDetAt(flow: Flow, x: Table, failures: FailedRows): Promise<number> {
  const { dim, engine, chain } = flow;
  const before = failures.count;
  await flow.forward(x, { logDet: false, failures });
  if (failures.count > before) return Number.NaN;
  const points: Float64Array[] = [];
  for (let i = 0; i <= chain.length; i++) points.push((await read(flow, i, 1)).row(0).slice());
  const start = async (rows: Table) => {
    await flow.enter(rows.values, rows.rows);
    return await read(flow, 0, rows.rows);
  };
  let sum = factorise(await differences(start, x.row(0))).logDet;
  const blocks = new Map(chain.blocks.map(({ index, block }) => [index, block]));
  for (let i = 0; i < chain.length; i++) {
    const block = blocks.get(i);
    if (block) {
      const size = sizeOf(chain.shapes[i]);
      sum += await logDetOfBlock(block, flow, points[i].subarray(0, size), points[i + 1].subarray(0, size));
      continue;
    }
    const step = async (rows: Table) => {
      const point = chain.point(i, rows.rows);
      const values = new Float64Array(dim * point.lanes);
      for (let r = 0; r < rows.rows; r++) {
        for (let j = 0; j < dim; j++) values[j * point.lanes + r] = rows.at(r, j);
      }
      engine.write(point.tensor, values);
      await chain.forward(rows.rows, FRESH, null, i, i + 1);
      return await read(flow, i + 1, rows.rows);
    };
    sum += factorise(await differences(step, points[i])).logDet;
  }
  return sum;
}

/** The samples between the bijections i - 1 and i. */
async function read(flow: Flow, i: number, rows: number): Promise<Table> {
  const { lanes, tensor } = flow.chain.point(i, rows);
  const values = new Float64Array(flow.dim * lanes);
  await flow.engine.read(tensor, values);
  const table = new Table(rows, flow.dim);
  for (let r = 0; r < rows; r++) for (let j = 0; j < flow.dim; j++) table.row(r)[j] = values[j * lanes + r];
  return table;
}

async function logDetOfBlock(
  block: LipschitzBlock,
  flow: Flow,
  x: Float64Array,
  y: Float64Array,
): Promise<number> {
  const { point: w, sum } = block.equation(x, y);
  const values = valuesOf(block.network, flow);
  const [g] = (await values(new Table(1, w.length, w.slice()))).toArray();
  const size = w.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  if (!g.every((value, i) => Math.abs(w[i] + value - sum[i]) <= RESIDUAL * size)) return Number.NaN;
  return block.logDetOf(factorise(plusIdentity(await differences(values, w))));
}

function plusIdentity(jacobian: Float64Array): Float64Array {
  const n = Math.sqrt(jacobian.length);
  return jacobian.map((value, i) => (i % (n + 1) === 0 ? value + 1 : value));
}

/** G of each row, on the engine of the flow. */
function valuesOf(network: LipschitzNetwork, { engine }: Flow): (rows: Table) => Promise<Table> {
  const { places, dim: channels } = network;
  const workspace = network.workspace(CAPACITY, 0);
  return async (rows) => {
    const samples = paddedLanes(engine, rows.rows);
    const views = network.views(workspace, samples, 0);
    const lane = new Float64Array(places * samples);
    const each = (matrix: Matrix, use: (c: number, offset: number) => void) => {
      for (let c = 0; c < channels; c++) use(c, matrix.offset + c * matrix.stride);
    };
    each(views.input, (c, offset) => {
      for (let p = 0; p < places; p++) {
        for (let r = 0; r < rows.rows; r++) lane[p * samples + r] = rows.at(r, c * places + p);
      }
      engine.write(views.input.tensor, lane, offset);
    });
    network.evaluate(views);
    const out = new Table(rows.rows, rows.columns);
    const reads: Promise<void>[] = [];
    each(views.output, (c, offset) => {
      const result = new Float64Array(places * samples);
      reads.push(
        engine.read(views.output.tensor, result, offset).then(() => {
          for (let p = 0; p < places; p++) {
            for (let r = 0; r < rows.rows; r++) out.row(r)[c * places + p] = result[p * samples + r];
          }
        }),
      );
    });
    await Promise.all(reads);
    return out;
  };
}

/** The Jacobian of a map of rows at x, row-major; `scale` is the size of numbers in a column. */
async function differences(
  map: (rows: Table) => Promise<Table>,
  x: Float64Array,
  scale = (_: number) => 1,
): Promise<Float64Array> {
  const n = x.length;
  const jacobian = new Float64Array(n * n);
  const pairs = CAPACITY / 2;
  for (let first = 0; first < n; first += pairs) {
    const count = Math.min(pairs, n - first);
    const probes = new Table(2 * count, n);
    for (let k = 0; k < 2 * count; k++) {
      const j = first + (k >> 1);
      probes.row(k).set(x);
      probes.row(k)[j] += (k % 2 === 0 ? STEP : -STEP) * scale(j);
    }
    const values = await map(probes);
    for (let k = 0; k < count; k++) {
      const j = first + k;
      for (let i = 0; i < n; i++) {
        jacobian[i * n + j] = (values.at(2 * k, i) - values.at(2 * k + 1, i)) / (2 * STEP * scale(j));
      }
    }
  }
  return jacobian;
}

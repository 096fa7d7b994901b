/**
 * The way of samples through a flow, block by block: x, its preprocessed h_0, h_1 = F_1(h_0), ..., z = h_n, with the
 * log-determinant of each F_i at h_(i-1), and what log p(x) is the sum of.
 */
import { type Matrix, matrix, paddedLanes, type Tensor } from "../engine/engine.js";
import { Table } from "../table.js";
import { FailedRows } from "./failed-rows.js";
import type { Flow } from "./flow.js";
import type { MapOptions } from "./flow-maps.js";
import { checkedSamples, type Samples } from "./samples.js";
import { isSound, type Term } from "./terms.js";

/** What `flowPath` returns. */
export interface FlowPath {
  /**
   * h_0, ..., h_n: a row a sample, preprocessed numbers first and the flow's latents last. In the flow of images numbers that
   * have left the chain keep their places behind the others.
   */
  points: Table[];
  /** log|det dF_i/dh| in nats, for each bijection of the chain a number a sample. */
  logDets: Float64Array[];
  /** The terms whose sum log p(x) is: those of `Flow.logProbTerms`, with one for each bijection, named by its place. */
  terms: Term[];
  /** Network evaluations that each bijection took, mean over the passes; 1 where nothing is solved, 0 for actnorm. */
  evaluations: number[];
}

/** How points are followed; the other options are those of maps. */
export interface PathOptions extends Pick<MapOptions, "seed" | "first" | "exact" | "failures"> {
  /** Whether x goes with learned noise, where the flow has it, as in `Flow.logProb` (default: without, as in `forward`). */
  readonly noise?: boolean;
}

/**
 * The points between all bijections for each row of x; of rows outside of the support all are Infinity, and all terms
 * -Infinity. Takes its turn among the flow's maps. Throws as `Flow.forward`, unless `failures` collects the rows that fail:
 * then their terms are NaN, and so are their points from where they failed.
 */
export function flowPath(flow: Flow, x: Samples, options: PathOptions = {}): Promise<FlowPath> {
  const input = checkedSamples(x, flow.dim);
  return flow.inTurn(() => followed(flow, input, options));
}

async function followed(flow: Flow, input: Table, options: PathOptions): Promise<FlowPath> {
  const { seed = 0, first = 0, exact = false, noise = false, failures = new FailedRows() } = options;
  const { engine, capacity, dim, chain, base } = flow;
  const { bijections } = chain;
  const { rows } = input;
  flow.makeReady();
  failures.rows += rows;
  const term = (name: string): Term => ({ name, values: new Float64Array(rows) });
  const points = Array.from({ length: bijections.length + 1 }, () => new Table(rows, dim));
  const blocks = bijections.map((_, i) => term(chain.placeOf(i)));
  const steps = flow.preprocessing.filter(({ drawn }) => noise || !drawn).map((step) => term(step.term));
  const terms = [term("base"), ...blocks, ...steps];
  const evaluations = bijections.map(() => 0);
  const passes = Math.ceil(rows / capacity);
  const tensor = memory(flow);
  for (let start = 0; start < rows; start += capacity) {
    const count = Math.min(capacity, rows - start);
    const row = matrix(tensor, 1, paddedLanes(engine, count));
    const part = (values: Float64Array) => values.subarray(start, start + count);
    const readRow = async (values: Float64Array) => engine.read(row.tensor, values, row.offset);
    const read = async ({ tensor, offset, lanes }: Matrix, { values }: Table) => {
      const staging = new Float64Array(dim * lanes);
      await engine.read(tensor, staging, offset);
      for (let i = 0; i < count; i++) {
        for (let j = 0; j < dim; j++) values[(start + i) * dim + j] = staging[j * lanes + i];
      }
    };
    const pass = { seed, step: 0, first: first + start, training: false, exact };
    chain.clearUnconverged();
    const entered = await flow.enter(input.slice(start, start + count).values, count, pass, noise);
    entered.forEach(({ values }, n) => {
      part(steps[n].values).set(values);
    });
    await read(chain.point(0, count), points[0]);
    engine.fill(row, 0);
    let before = new Float64Array(count);
    for (const [i, bijection] of bijections.entries()) {
      const solvedBefore = bijection.counts?.evaluations ?? 0;
      await chain.forward(count, pass, row, i, i + 1);
      await read(chain.point(i + 1, count), points[i + 1]);
      // What each adds to the sum, so that all of them are the sum, to its last bit.
      const sum = new Float64Array(count);
      await readRow(sum);
      part(blocks[i].values).set(sum.map((value, lane) => value - before[lane]));
      before = sum;
      const solved = (bijection.counts?.evaluations ?? 0) - solvedBefore;
      if (bijection.lipschitzBound) evaluations[i] += (solved || 1) / passes;
    }
    engine.fill(row, 0);
    await base.addLogDensity(row, chain.point(bijections.length, count));
    await readRow(part(terms[0].values));
    const places = chain.unconvergedPlaces(count, "forward");
    for (let lane = 0, i = start; lane < count; lane++, i++) {
      if (flow.isOutside(lane)) {
        for (const table of points) table.row(i).fill(Number.POSITIVE_INFINITY);
        for (const { values } of terms) values[i] = Number.NEGATIVE_INFINITY;
      } else if (places[lane] > 0 || !isSound(points[bijections.length].row(i), terms, i)) {
        failures.add(first + i, places[lane]);
        const lost = places[lane] || firstBeyond(points, i);
        for (const table of points.slice(lost)) table.row(i).fill(Number.NaN);
        for (const { values } of terms) values[i] = Number.NaN;
      }
    }
  }
  if (!options.failures) failures.check();
  return { points, logDets: blocks.map(({ values }) => values), terms, evaluations };
}

/** The first place where a row is not finite; behind the last one where it is so everywhere. */
function firstBeyond(points: readonly Table[], i: number): number {
  const place = points.findIndex((table) => !table.row(i).every(Number.isFinite));
  return place < 0 ? points.length : place;
}

const memories = new WeakMap<Flow, Tensor>();

/** A row of log-determinants, once a flow: an engine gives no memory back. */
function memory(flow: Flow): Tensor {
  const known = memories.get(flow);
  if (known) return known;
  const made = flow.engine.tensor(paddedLanes(flow.engine, flow.capacity));
  memories.set(flow, made);
  return made;
}

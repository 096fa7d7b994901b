/**
 * The way of samples through a flow, block by block: x, its preprocessed h_0, h_1 = F_1(h_0), ..., z = h_n, with the
 * log-determinant of each F_i at h_(i-1).
 */
import { type Matrix, matrix, paddedLanes, type Tensor } from "../engine/engine.js";
import { Table } from "../table.js";
import type { Flow } from "./flow.js";
import { checkedSamples, type Samples } from "./samples.js";

/** What `flowPath` returns. */
export interface FlowPath {
  /**
   * h_0, ..., h_n: a row a sample, preprocessed numbers first and the flow's latents last. In the flow of images numbers that
   * have left the chain keep their places behind the others.
   */
  points: Table[];
  /** log|det dF_i/dh| in nats, for each bijection of the chain a number a sample. */
  logDets: Float64Array[];
  /** Network evaluations that each bijection took, mean over the passes; 1 where nothing is solved, 0 for actnorm. */
  evaluations: number[];
}

/**
 * The points between all bijections for each row of x, which may also hold points that are not finite after some block;
 * of rows outside of the support all are Infinity. Takes its turn among the flow's maps. Throws as `Flow.forward`, but for
 * rows that fail.
 */
export function flowPath(flow: Flow, x: Samples): Promise<FlowPath> {
  const input = checkedSamples(x, flow.dim);
  return flow.inTurn(() => followed(flow, input));
}

async function followed(flow: Flow, input: Table): Promise<FlowPath> {
  const { engine, capacity, dim, chain } = flow;
  const { bijections } = chain;
  const { rows } = input;
  flow.makeReady();
  const points = Array.from({ length: bijections.length + 1 }, () => new Table(rows, dim));
  const logDets = bijections.map(() => new Float64Array(rows));
  const evaluations = bijections.map(() => 0);
  const read = async ({ tensor, offset, lanes }: Matrix, table: Table, start: number, count: number) => {
    const values = new Float64Array(dim * lanes);
    await engine.read(tensor, values, offset);
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < dim; j++) {
        table.values[(start + i) * dim + j] = flow.isOutside(i)
          ? Number.POSITIVE_INFINITY
          : values[j * lanes + i];
      }
    }
  };
  const passes = Math.ceil(rows / capacity);
  const tensor = memory(flow);
  for (let start = 0; start < rows; start += capacity) {
    const count = Math.min(capacity, rows - start);
    const pass = { seed: 0, step: 0, first: start, training: false };
    await flow.enter(input.slice(start, start + count).values, count, pass);
    await read(chain.point(0, count), points[0], start, count);
    for (const [i, bijection] of bijections.entries()) {
      const logDet = matrix(tensor, 1, paddedLanes(engine, count));
      const before = bijection.counts?.evaluations ?? 0;
      engine.fill(logDet, 0);
      await chain.forward(count, pass, logDet, i, i + 1);
      await read(chain.point(i + 1, count), points[i + 1], start, count);
      await engine.read(logDet.tensor, logDets[i].subarray(start, start + count), logDet.offset);
      const solved = (bijection.counts?.evaluations ?? 0) - before;
      if (bijection.lipschitzBound) evaluations[i] += (solved || 1) / passes;
    }
  }
  return { points, logDets, evaluations };
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

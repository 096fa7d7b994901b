/** Maximum likelihood, one step at a time: every rank runs a Trainer on its shard of each batch. */
import { Actnorm } from "../bijections/actnorm.js";
import type { DataSource } from "../data/source.js";
import { type Communicator, shard } from "../engine/communicator.js";
import { check, FlowError } from "../errors.js";
import type { Flow } from "../flows/flow.js";
import { Adam } from "./adam.js";

export interface TrainingOptions {
  steps: number;
  batch: number;
  seed: number;
  learningRate: number;
  /** Times the parameters, added to their gradients. */
  l2: number;
}

/** What one step did. */
export interface StepResult {
  /** Mean negative log-likelihood of the batch, in nats. */
  loss: number;
  /** Network evaluations a block, mean over the blocks and passes of this rank. */
  evaluations: number;
  /** Samples of the batch whose solver did not reach its tolerance, summed over blocks. */
  unconverged: number;
  /** Whether some rank asked to stop; all ranks learn of it in the same step. */
  stop: boolean;
}

/** Everything that the next step depends on, apart from the options: what a checkpoint holds. */
export interface TrainingState {
  step: number;
  parameters: Map<string, Float64Array>;
  first: Float64Array;
  second: Float64Array;
}

export class Trainer {
  readonly flow: Flow;
  readonly options: TrainingOptions;
  readonly #source: DataSource;
  readonly #communicator: Communicator;
  readonly #adam: Adam;
  readonly #samples: Float64Array;
  readonly #logProb: Float64Array;
  /** What the ranks sum: the gradient; the loss, the unconverged samples and the wishes to stop; one blame a bijection. */
  readonly #reduced: Float64Array;
  readonly #blame: Float64Array;
  /** Steps done so far. */
  step = 0;

  constructor(flow: Flow, source: DataSource, options: TrainingOptions, communicator: Communicator) {
    this.flow = flow;
    this.options = options;
    this.#source = source;
    this.#communicator = communicator;
    this.#adam = new Adam(flow.parameters, options.l2);
    const [start, end] = shard(options.batch, communicator);
    this.#samples = new Float64Array((end - start) * flow.dim);
    this.#logProb = new Float64Array(flow.capacity);
    this.#reduced = new Float64Array(flow.parameters.gradient.length + 3 + flow.bijections.length);
    this.#blame = this.#reduced.subarray(flow.parameters.gradient.length + 3);
  }

  /** The most numbers that the ranks sum at a time. */
  get reducedLength(): number {
    return Math.max(this.#reduced.length, 2 * this.flow.dim);
  }

  /** One step of training. Throws a `numerical` error that names the step and the block if the loss is not finite. */
  async advance(stop = false): Promise<StepResult> {
    const { flow } = this;
    const { batch, seed, learningRate } = this.options;
    const { gradient } = flow.parameters;
    const [start, end] = shard(batch, this.#communicator);
    this.#source.fill(this.#samples, seed, this.step, start, end - start);
    for (const b of flow.bijections) b.iterate?.();
    flow.prepare();
    if (this.step === 0) await this.#startActnorms();
    gradient.fill(0);
    this.#blame.fill(0);
    const before = this.#counts();
    let loss = 0;
    for (const [values, count] of this.#chunks()) {
      flow.write(values, count);
      await flow.forwardPass(count);
      await flow.backwardPass(count, 1 / batch, this.#logProb);
      let sum = 0;
      for (let i = 0; i < count; i++) sum -= this.#logProb[i];
      if (!Number.isFinite(sum)) this.#blame[await this.#firstNotFinite(count)]++;
      loss += sum;
    }
    await flow.collectGradient();
    const after = this.#counts();

    const reduced = this.#reduced;
    const scalars = gradient.length;
    reduced.set(gradient);
    reduced[scalars] = loss / batch;
    reduced[scalars + 1] = after.unconverged - before.unconverged;
    reduced[scalars + 2] = stop ? 1 : 0;
    await this.#communicator.allReduce(reduced);
    gradient.set(reduced.subarray(0, scalars));
    this.#checkFinite(reduced[scalars]);

    this.#adam.update(this.step, learningRate);
    this.step++;
    return {
      loss: reduced[scalars] + this.#constant(),
      evaluations: (after.evaluations - before.evaluations) / Math.max(1, after.solves - before.solves),
      unconverged: reduced[scalars + 1],
      stop: reduced[scalars + 2] > 0,
    };
  }

  /** The standardisation's part of the loss. */
  #constant(): number {
    const { standardisation } = this.flow.declaration;
    return standardisation ? standardisation.deviation.reduce((sum, s) => sum + Math.log(s), 0) : 0;
  }

  /** The samples of this step's shard in pieces that fit the flow. */
  *#chunks(): Generator<[Float64Array, number]> {
    const { dim, capacity } = this.flow;
    const total = this.#samples.length / dim;
    for (let start = 0; start < total; start += capacity) {
      const count = Math.min(capacity, total - start);
      yield [this.#samples.subarray(start * dim, (start + count) * dim), count];
    }
  }

  #counts() {
    const total = { solves: 0, evaluations: 0, unconverged: 0 };
    for (const { counts } of this.flow.bijections) {
      if (!counts) continue;
      total.solves += counts.solves;
      total.evaluations += counts.evaluations;
      total.unconverged += counts.unconverged;
    }
    return total;
  }

  /** Actnorms in order, each from the whole batch's statistics at its place in the chain. */
  async #startActnorms(): Promise<void> {
    const { flow } = this;
    for (const [i, bijection] of flow.bijections.entries()) {
      if (!(bijection instanceof Actnorm) || bijection.started.values[0] === 1) continue;
      const sums = new Float64Array(2 * flow.dim);
      for (const [values, count] of this.#chunks()) {
        flow.write(values, count);
        await flow.forwardPass(count, i);
        const point = flow.point(i, count);
        const rows = new Float64Array(flow.dim * point.lanes);
        await flow.engine.read(point.tensor, rows, point.offset);
        for (let j = 0; j < flow.dim; j++) {
          for (let n = 0; n < count; n++) {
            sums[j] += rows[j * point.lanes + n] / this.options.batch;
            sums[flow.dim + j] += rows[j * point.lanes + n] ** 2 / this.options.batch;
          }
        }
      }
      await this.#communicator.allReduce(sums);
      const mean = sums.subarray(0, flow.dim);
      const variance = mean.map((m, j) => Math.max(0, sums[flow.dim + j] - m * m));
      bijection.start(mean, variance);
    }
  }

  /** The bijection whose output is the first that is not finite (the last one if only the density is not). */
  async #firstNotFinite(count: number): Promise<number> {
    const { flow } = this;
    for (let i = 0; i < flow.bijections.length; i++) {
      const point = flow.point(i + 1, count);
      const values = new Float64Array(flow.dim * point.lanes);
      await flow.engine.read(point.tensor, values, point.offset);
      if (!values.every(Number.isFinite)) return i;
    }
    return flow.bijections.length - 1;
  }

  #checkFinite(loss: number): void {
    const { gradient, list } = this.flow.parameters;
    const where = (block: number) => `block ${block + 1} (${this.flow.bijections[block].kind})`;
    if (!Number.isFinite(loss)) {
      const block = this.#blame.findIndex((count) => count > 0);
      throw new FlowError(
        "numerical",
        `the loss became ${loss} at step ${this.step + 1}, in ${where(Math.max(block, 0))}`,
      );
    }
    if (gradient.every(Number.isFinite)) return;
    const name = list.find((p) => !p.gradient.every(Number.isFinite))?.name ?? "";
    const block = Number(name.split(".")[1] ?? 0);
    throw new FlowError(
      "numerical",
      `a gradient is no longer finite at step ${this.step + 1}, in ${where(block)}`,
    );
  }

  state(): TrainingState {
    return {
      step: this.step,
      parameters: new Map(this.flow.parameters.list.map((p) => [p.name, p.values.slice()])),
      first: this.#adam.first.slice(),
      second: this.#adam.second.slice(),
    };
  }

  restore(state: TrainingState): void {
    this.step = state.step;
    this.flow.parameters.load(state.parameters, "the checkpoint");
    for (const [own, moments] of [
      [this.#adam.first, state.first],
      [this.#adam.second, state.second],
    ]) {
      check(
        moments.length === own.length,
        "input",
        "the checkpoint's moments of Adam are those of another flow",
      );
      own.set(moments);
    }
  }
}

/** Training, one step at a time: every rank runs a Trainer, and does some pieces of each batch. */
import type { AsyncSource } from "../data/source.js";
import { check, FlowError } from "../errors.js";
import type { Flow } from "../flows/flow.js";
import type { PassKey } from "../logdet/probes.js";
import { discardGradient } from "../model/gradients.js";
import { resolved } from "../options.js";
import { type Communicator, shard } from "../ranks/communicator.js";
import type { Sums } from "../ranks/thread-communicator.js";
import { emptyCounts } from "../solvers/newton.js";
import { Adam } from "./adam.js";
import { AveragedWeights } from "./averaged-weights.js";
import { clipGradient } from "./clipping.js";
import { type Objective, objective } from "./objectives.js";
import { type Training, type TrainingOptions, trainingSchema } from "./options.js";
import { rateAt } from "./schedule.js";

/** What one step did. */
export interface StepResult {
  /** The objective's mean over the batch: minus the log-likelihood in nats, or the squared error. */
  loss: number;
  /** Network evaluations a solve, mean over the blocks and passes. */
  evaluations: number;
  /** Samples of the batch whose solver did not reach its tolerance, summed over blocks. */
  unconverged: number;
}

/** Everything that the next step depends on, apart from the options: what a checkpoint holds. */
export interface TrainingState {
  /** Steps done so far. */
  step: number;
  /** The values of all parameters, by name. */
  parameters: Map<string, Float64Array>;
  /** Adam's means of gradients, in the order of `Parameters.values`. */
  first: Float64Array;
  /** Adam's means of squares of gradients, in the same order. */
  second: Float64Array;
  /** Averaged weights, where the options ask for them. */
  average?: Float64Array | undefined;
}

/** Numbers between the gradient and the counts of passes that failed in what pieces of a batch are summed to. */
const SCALARS = 4;
/** Steps from one at which also convolutions of wide margins are certified to the next. */
const CERTAIN_EVERY = 50;
/** Pieces of a batch a rank, at most: with these, one that is held up leaves most of its share to the others. */
const PIECES_A_RANK = 8;
/** What all pieces of a batch give, at most, in numbers: 32 MB. Where a model is larger, there is a piece a rank. */
const MOST_NUMBERS = 4e6;

/** One rank's part of a training run. All ranks take the same steps. */
export class Trainer {
  /** The model as the last step has left it. */
  readonly flow: Flow;
  /** Nothing left out. */
  readonly options: Training;
  readonly #source: AsyncSource;
  readonly #communicator: Communicator;
  readonly #adam: Adam;
  readonly #average: AveragedWeights | null;
  readonly #objective: Objective;
  /** Pieces of a batch, which ranks take as they come. */
  readonly #pieces: number;
  /** The samples of a piece. */
  readonly #samples: Float64Array;
  /**
   * What pieces are summed to: the gradient of the flow, not yet pulled back; the loss, the unconverged samples, the network's evaluations, the solves;
   * of each bijection the passes in which its output was the first that was not finite.
   */
  readonly #sum: Float64Array;
  /** Steps done so far. */
  step = 0;
  /** The learning rate before the schedule's factors. It may be changed between steps: rank 0's counts for all ranks. */
  learningRate: number;

  /**
   * Throws a `usage` error for options outside of their limits, and for a source whose samples have another number of
   * columns than the objective asks for.
   */
  constructor(flow: Flow, source: AsyncSource, given: TrainingOptions, communicator: Communicator) {
    const options = resolved(trainingSchema, given, "training");
    this.flow = flow;
    this.options = options;
    this.learningRate = options.learningRate;
    this.#source = source;
    this.#communicator = communicator;
    this.#objective = objective(options.objective, flow);
    const { columns } = this.#objective;
    check(
      source.dim === columns,
      "usage",
      `this training takes samples of ${columns} ${columns === 1 ? "number" : "numbers"}, those of ${source.name} have ${source.dim}`,
    );
    this.#adam = new Adam(flow.parameters, options);
    this.#average = options.averaging ? new AveragedWeights(flow.parameters, options.averaging) : null;
    this.#sum = new Float64Array(flow.gradients.gradientLength + SCALARS + flow.chain.length);
    this.#pieces = pieces(options.batch, flow.capacity, communicator.size, this.#sum.length);
    this.#samples = new Float64Array(Math.ceil(options.batch / this.#pieces) * columns);
  }

  /** What the ranks sum at a time. */
  get sums(): Sums {
    const length = Math.max(...this.flow.chain.shapes.map(({ channels }) => 2 * channels));
    return { length, pieces: this.#pieces, pieceLength: this.#sum.length };
  }

  /**
   * One step of training. Throws a `numerical` error that names the step and the block if the loss is not finite. After
   * an error, or a `signal` that aborts, the flow is as it was before the step.
   */
  advance(signal?: AbortSignal): Promise<StepResult> {
    return this.flow.inTurn(async () => {
      try {
        return await this.#advance();
      } catch (error) {
        // What some passes have left behind belongs to no other step.
        await discardGradient(this.flow.gradients);
        throw error;
      }
    }, signal);
  }

  async #advance(): Promise<StepResult> {
    const { flow } = this;
    const { schedule = [], warmUp, clip } = this.options;
    const { gradient } = flow.parameters;
    await flow.iterate();
    flow.prepare();
    if (this.step % CERTAIN_EVERY === CERTAIN_EVERY - 1) flow.chain.makeCertain();
    if (this.step === 0) await this.#initialise();
    const rate = rateAt(this.step, this.learningRate, schedule, warmUp);
    const shared = Float64Array.of(this.#communicator.rank === 0 ? rate : 0);
    const work = (piece: number, values: Float64Array) => this.#workOn(piece, values);
    await this.#communicator.sumPieces(this.#pieces, work, this.#sum, shared);
    const [loss, unconverged, evaluations, solves] = this.#sum.subarray(flow.gradients.gradientLength);
    gradient.fill(0);
    flow.gradients.pullBack(this.#sum.subarray(0, flow.gradients.gradientLength));
    this.#checkFinite(loss);

    if (clip !== undefined) clipGradient(flow.parameters, this.step, clip * flow.dim);
    this.#adam.update(this.step, shared[0]);
    this.step++;
    this.#average?.update(this.step);
    return { loss, evaluations: evaluations / Math.max(1, solves), unconverged };
  }

  /** One piece of this step's batch, forwards and backwards, and what it adds to the sum. */
  async #workOn(piece: number, values: Float64Array): Promise<void> {
    const { flow } = this;
    const { batch } = this.options;
    const { gradientLength } = flow.gradients;
    const scalars = values.subarray(gradientLength, gradientLength + SCALARS).fill(0);
    const failedPasses = values.subarray(gradientLength + SCALARS).fill(0);
    // From zero for every piece: sums of fractions would otherwise depend on what this rank has done before.
    for (const { counts } of flow.chain.bijections) if (counts) Object.assign(counts, emptyCounts());
    for await (const [samples, count, key] of this.#passes(piece, this.#pieces, this.#samples)) {
      await this.#objective.write(samples, count, key);
      const sum = await this.#objective.pass(samples, count, 1 / batch, key);
      if (!Number.isFinite(sum)) failedPasses[await this.#firstNotFinite(count)]++;
      scalars[0] += sum / batch;
    }
    await flow.gradients.takeGradient(values.subarray(0, gradientLength));
    for (const { counts } of flow.chain.bijections) {
      if (!counts) continue;
      scalars[1] += counts.unconverged;
      scalars[2] += counts.evaluations;
      scalars[3] += counts.solves;
    }
  }

  /** Draws the samples of a part of this step's batch; gives those of each of the flow's passes, and which they are. */
  async *#passes(
    part: number,
    parts: number,
    samples: Float64Array,
  ): AsyncGenerator<[Float64Array, number, PassKey]> {
    const { seed, batch } = this.options;
    const { capacity } = this.flow;
    const { columns } = this.#objective;
    const [first, end] = shard(batch, part, parts);
    await this.#source.fill(samples, seed, this.step, first, end - first);
    for (let start = first; start < end; start += capacity) {
      const count = Math.min(capacity, end - start);
      const key = { seed, step: this.step, first: start, training: true };
      yield [samples.subarray((start - first) * columns, (start - first + count) * columns), count, key];
    }
  }

  /** Bijections that start from data, in order, each from the whole batch's statistics at its place in the chain. */
  async #initialise(): Promise<void> {
    const { flow } = this;
    const { chain } = flow;
    // How far the batch has come through the chain, and its points there: no block is computed twice.
    let reached = 0;
    const { rank, size } = this.#communicator;
    const samples = new Float64Array(Math.ceil(this.options.batch / size) * this.#objective.columns);
    const chunks: { values: Float64Array; count: number; key: PassKey; rows: Float64Array }[] = [];
    for await (const [values, count, key] of this.#passes(rank, size, samples)) {
      chunks.push({ values, count, key, rows: new Float64Array(0) });
    }
    for (const [i, bijection] of chain.bijections.entries()) {
      if (!bijection.uninitialised || !bijection.initialise) continue;
      const { channels, height, width } = chain.shapes[i];
      const sums = new Float64Array(2 * channels);
      const share = 1 / (this.options.batch * height * width);
      for (const chunk of chunks) {
        const { values, count, key, rows } = chunk;
        if (reached === 0) await this.#objective.write(values, count, key);
        else {
          const { tensor, offset } = chain.point(reached, count);
          flow.engine.write(tensor, rows, offset);
        }
        await chain.forward(count, key, null, reached, i);
        const point = chain.point(i, count);
        if (reached === 0) chunk.rows = new Float64Array(flow.dim * point.lanes);
        await flow.engine.read(point.tensor, chunk.rows, point.offset);
        // [channel][place][sample], and lanes beyond the samples.
        const lanes = height * width * point.lanes;
        for (let j = 0; j < channels; j++) {
          for (let n = 0; n < lanes; n++) {
            if (n % point.lanes >= count) continue;
            sums[j] += chunk.rows[j * lanes + n] * share;
            sums[channels + j] += chunk.rows[j * lanes + n] ** 2 * share;
          }
        }
      }
      reached = i;
      await this.#communicator.allReduce(sums);
      const mean = sums.subarray(0, channels);
      const variance = mean.map((m, j) => Math.max(0, sums[channels + j] - m * m));
      bijection.initialise(mean, variance, this.options.batch);
    }
  }

  /** The bijection whose output is the first that is not finite (the last one if only the density is not). */
  async #firstNotFinite(count: number): Promise<number> {
    const { flow } = this;
    for (let i = 0; i < flow.chain.length; i++) {
      const point = flow.chain.point(i + 1, count);
      const values = new Float64Array(flow.dim * point.lanes);
      await flow.engine.read(point.tensor, values, point.offset);
      if (!allFinite(values)) return i;
    }
    return flow.chain.length - 1;
  }

  #checkFinite(loss: number): void {
    const { gradient, list } = this.flow.parameters;
    if (!Number.isFinite(loss)) {
      const block = this.#sum
        .subarray(this.flow.gradients.gradientLength + SCALARS)
        .findIndex((count) => count > 0);
      throw new FlowError(
        "numerical",
        `the loss became ${loss} at step ${this.step + 1}, in ${this.flow.chain.placeOf(Math.max(block, 0))}`,
      );
    }
    if (allFinite(gradient)) return;
    const place = list.find((p) => !allFinite(p.gradient))?.owner;
    throw new FlowError("numerical", `a gradient is no longer finite at step ${this.step + 1}, in ${place}`);
  }

  /** A copy of all that the next step depends on. */
  state(): TrainingState {
    return {
      step: this.step,
      parameters: new Map(this.flow.parameters.list.map((p) => [p.name, p.values.slice()])),
      first: this.#adam.first.slice(),
      second: this.#adam.second.slice(),
      ...(this.#average ? { average: this.#average.values.slice() } : {}),
    };
  }

  /** Goes on from a state; throws an `input` error for one of another flow. */
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
    this.#average?.restore(state.average);
  }

  /** Does `work` while the flow has its averaged weights, where the options ask for them. */
  async withAverage<Result>(work: () => Promise<Result>): Promise<Result> {
    if (!this.#average) return await work();
    const { flow } = this;
    const average = this.#average;
    const put = (change: () => void) =>
      flow.inTurn(async () => {
        change();
        flow.prepare();
      });
    const current = flow.parameters.values.slice();
    await put(() => average.apply());
    try {
      return await work();
    } finally {
      await put(() => flow.parameters.values.set(current));
    }
  }

  /** Turns the flow into the trained model: averaged weights where asked for, and spectral norms at their limits. */
  async finish(): Promise<void> {
    await this.flow.convergeNorms(() => this.#average?.apply());
  }
}

/**
 * How many pieces a batch is shared out in: as many for each of equally fast ranks, and none larger than a pass of the
 * flow unless they became too many.
 */
function pieces(batch: number, capacity: number, ranks: number, numbers: number): number {
  if (ranks === 1) return 1;
  const passes = Math.ceil(batch / capacity / ranks);
  const most = Math.min(PIECES_A_RANK, Math.floor(MOST_NUMBERS / numbers / ranks));
  return Math.min(batch, ranks * Math.max(1, Math.min(passes, most)));
}

/** As `every(Number.isFinite)`, which took a hundredth of a training step. */
function allFinite(values: Float64Array): boolean {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false;
  return true;
}

/**
 * Ranks that are threads of one process and meet in shared memory: no messages. Sums are made from double
 * buffers, so that one barrier a sum is enough: a rank can only write to a buffer again after all others have
 * passed the barrier that follows its last use.
 */
import type { Communicator } from "../engine/communicator.js";
import { FlowError } from "../errors.js";
import { turn } from "./turn.js";

/** What the ranks that are left hear of one that failed. */
export const RANK_FAILED = "another rank has failed";

const ARRIVED = 0;
const GENERATION = 1;
const ABORTED = 2;
/** Looks at the barrier before a rank goes to sleep: about as long as two even shards differ. */
const SPINS = 20_000;

/** The memory that the ranks of one program share; it may be posted to workers. */
export interface SharedRanks {
  readonly size: number;
  readonly length: number;
  readonly control: SharedArrayBuffer;
  readonly slots: SharedArrayBuffer;
}

/** For `size` ranks that will sum at most `length` numbers at a time. */
export function sharedRanks(size: number, length: number): SharedRanks {
  return {
    size,
    length,
    control: new SharedArrayBuffer(16),
    slots: new SharedArrayBuffer(8 * 2 * size * length),
  };
}

export class ThreadCommunicator implements Communicator {
  readonly rank: number;
  readonly size: number;
  readonly #control: Int32Array;
  readonly #slots: Float64Array;
  readonly #length: number;
  #phase = 0;
  /** Rank 0 shares its thread with timers and messages, so it must not block; the others may. */
  readonly #mayBlock: boolean;

  constructor(shared: SharedRanks, rank: number) {
    this.rank = rank;
    this.size = shared.size;
    this.#control = new Int32Array(shared.control);
    this.#slots = new Float64Array(shared.slots);
    this.#length = shared.length;
    this.#mayBlock = rank > 0;
  }

  /** Ends all waiting, here and elsewhere, with an error. */
  abort(): void {
    Atomics.store(this.#control, ABORTED, 1);
    Atomics.add(this.#control, GENERATION, 1);
    Atomics.notify(this.#control, GENERATION);
  }

  #slot(rank: number, length: number): Float64Array {
    const start = (this.#phase * this.size + rank) * this.#length;
    return this.#slots.subarray(start, start + length);
  }

  async allReduce(values: Float64Array): Promise<void> {
    this.#slot(this.rank, values.length).set(values);
    await this.barrier();
    values.fill(0);
    for (let rank = 0; rank < this.size; rank++) {
      const slot = this.#slot(rank, values.length);
      for (let i = 0; i < values.length; i++) values[i] += slot[i];
    }
    this.#phase ^= 1;
  }

  async broadcast(values: Float64Array): Promise<void> {
    if (this.rank === 0) this.#slot(0, values.length).set(values);
    await this.barrier();
    values.set(this.#slot(0, values.length));
    this.#phase ^= 1;
  }

  async barrier(): Promise<void> {
    const control = this.#control;
    const generation = Atomics.load(control, GENERATION);
    // In this order: an abort after this look changes the generation, which ends the waiting below.
    this.#checkAlive();
    if (Atomics.add(control, ARRIVED, 1) + 1 === this.size) {
      Atomics.store(control, ARRIVED, 0);
      Atomics.add(control, GENERATION, 1);
      Atomics.notify(control, GENERATION);
    } else {
      for (let n = 0; n < SPINS && Atomics.load(control, GENERATION) === generation; n++);
      while (Atomics.load(control, GENERATION) === generation) {
        if (this.#mayBlock) Atomics.wait(control, GENERATION, generation);
        else await waitAsync(control, GENERATION, generation);
      }
    }
    this.#checkAlive();
  }

  #checkAlive(): void {
    if (Atomics.load(this.#control, ABORTED) !== 0) throw new FlowError("internal", RANK_FAILED);
  }
}

/** Atomics.waitAsync, which ES2024's types describe; a turn for everybody else where a browser does not have it yet. */
async function waitAsync(array: Int32Array, index: number, value: number): Promise<void> {
  const atomics = Atomics as unknown as {
    waitAsync?(array: Int32Array, index: number, value: number): { value: Promise<string> | string };
  };
  await (atomics.waitAsync ? atomics.waitAsync(array, index, value).value : turn());
}

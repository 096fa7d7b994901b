/**
 * Ranks that are threads of one process and meet in shared memory: no messages. Sums are made from double
 * buffers, so that one barrier a sum is enough: a rank can only write to a buffer again after all others have
 * passed the barrier that follows its last use.
 */

import { FlowError } from "../errors.js";
import { turn } from "../turn.js";
import type { Communicator, Piecework } from "./communicator.js";

/** What the ranks that are left hear of one that failed. */
export const RANK_FAILED = "another rank has failed";

const ARRIVED = 0;
const GENERATION = 1;
const ABORTED = 2;
/** Pieces of work that have been asked for since the start. */
const ASKED = 3;
/** Looks at the barrier before a rank goes to sleep: about as long as two even shards differ. */
const SPINS = 20_000;

/** The memory that the ranks of one program share; it may be posted to workers. */
export interface SharedSums {
  readonly size: number;
  readonly sums: Sums;
  readonly control: SharedArrayBuffer;
  /** What ranks, and what pieces of work add to a sum. */
  readonly rankSlots: SharedArrayBuffer;
  readonly pieceSlots: SharedArrayBuffer;
}

/** How much is summed at a time, at most. */
export interface Sums {
  /** Numbers of a rank. */
  readonly length: number;
  /** Pieces of work, and numbers of a piece. */
  readonly pieces: number;
  readonly pieceLength: number;
}

export function sharedSums(size: number, sums: Sums): SharedSums {
  const { length, pieces, pieceLength } = sums;
  return {
    size,
    sums,
    control: new SharedArrayBuffer(16),
    rankSlots: new SharedArrayBuffer(8 * 2 * size * length),
    pieceSlots: new SharedArrayBuffer(8 * 2 * pieces * pieceLength),
  };
}

export class ThreadCommunicator implements Communicator {
  readonly rank: number;
  readonly size: number;
  readonly #control: Int32Array;
  readonly #rankSlots: Float64Array;
  readonly #pieceSlots: Float64Array;
  readonly #sums: Sums;
  #phase = 0;
  /** What ASKED was when the next pieces were laid out. */
  #asked = 0;
  /** Rank 0 shares its thread with timers and messages, so it must not block; the others may. */
  readonly #mayBlock: boolean;

  constructor(shared: SharedSums, rank: number) {
    this.rank = rank;
    this.size = shared.size;
    this.#control = new Int32Array(shared.control);
    this.#rankSlots = new Float64Array(shared.rankSlots);
    this.#pieceSlots = new Float64Array(shared.pieceSlots);
    this.#sums = shared.sums;
    this.#mayBlock = rank > 0;
  }

  /** Ends all waiting, here and elsewhere, with an error. */
  abort(): void {
    Atomics.store(this.#control, ABORTED, 1);
    Atomics.add(this.#control, GENERATION, 1);
    Atomics.notify(this.#control, GENERATION);
  }

  #rankSlot(rank: number, length: number): Float64Array {
    const start = (this.#phase * this.size + rank) * this.#sums.length;
    return this.#rankSlots.subarray(start, start + length);
  }

  #pieceSlot(piece: number, length: number): Float64Array {
    const start = (this.#phase * this.#sums.pieces + piece) * this.#sums.pieceLength;
    return this.#pieceSlots.subarray(start, start + length);
  }

  async allReduce(values: Float64Array): Promise<void> {
    await this.sumPieces(0, async () => {}, new Float64Array(0), values);
  }

  async sumPieces(count: number, work: Piecework, sum: Float64Array, own: Float64Array): Promise<void> {
    const control = this.#control;
    // Who is held up by other programs takes fewer pieces, so that nobody waits long for anybody.
    for (;;) {
      const piece = (Atomics.add(control, ASKED, 1) - this.#asked) | 0;
      if (piece >= count) break;
      await work(piece, this.#pieceSlot(piece, sum.length));
    }
    // Every rank has asked once in vain.
    this.#asked = (this.#asked + count + this.size) | 0;
    this.#rankSlot(this.rank, own.length).set(own);
    await this.barrier();
    total(sum, count, (piece) => this.#pieceSlot(piece, sum.length));
    total(own, this.size, (rank) => this.#rankSlot(rank, own.length));
    this.#phase ^= 1;
  }

  async broadcast(values: Float64Array): Promise<void> {
    if (this.rank === 0) this.#rankSlot(0, values.length).set(values);
    await this.barrier();
    values.set(this.#rankSlot(0, values.length));
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

/** Fills `sum` with the sum of so many slots, in their order. */
function total(sum: Float64Array, count: number, slot: (index: number) => Float64Array): void {
  sum.fill(0);
  for (let index = 0; index < count; index++) {
    const values = slot(index);
    for (let i = 0; i < sum.length; i++) sum[i] += values[i];
  }
}

/** Atomics.waitAsync, which ES2024's types describe; a turn for everybody else where a browser does not have it yet. */
async function waitAsync(array: Int32Array, index: number, value: number): Promise<void> {
  const atomics = Atomics as unknown as {
    waitAsync?(array: Int32Array, index: number, value: number): { value: Promise<string> | string };
  };
  await (atomics.waitAsync ? atomics.waitAsync(array, index, value).value : turn());
}

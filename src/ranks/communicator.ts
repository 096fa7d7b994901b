/** Does one piece of a work that ranks share out, and fills `values` with what it gives. */
export type Piecework = (piece: number, values: Float64Array) => Promise<void>;

/**
 * How ranks meet. A rank is one of `size` equal programs, each with its own engine; they differ only in `rank`. All
 * ranks must make the same calls in the same order.
 */
export interface Communicator {
  readonly rank: number;
  readonly size: number;
  /** Replaces `values` by its sum over the ranks, added in the order of ranks: the same bits on each. */
  allReduce(values: Float64Array): Promise<void>;
  /**
   * Does the pieces 0 .. count - 1 of a work, each on one rank, and fills `sum` with the sum of what they give, added
   * in the order of pieces: the same bits on each rank, whichever did which. `own` is replaced by its sum over the
   * ranks, as in `allReduce`: one meeting does for both.
   */
  sumPieces(count: number, work: Piecework, sum: Float64Array, own: Float64Array): Promise<void>;
  /** Replaces `values` by those of rank 0. */
  broadcast(values: Float64Array): Promise<void>;
  /** Waits until every rank is here. */
  barrier(): Promise<void>;
}

/** The communicator of a program that runs alone. */
export const alone: Communicator = {
  rank: 0,
  size: 1,
  allReduce: async () => {},
  async sumPieces(count, work, sum) {
    await work(0, sum);
    const values = count > 1 ? sum.slice() : sum;
    for (let piece = 1; piece < count; piece++) {
      await work(piece, values);
      for (let i = 0; i < sum.length; i++) sum[i] += values[i];
    }
  },
  broadcast: async () => {},
  barrier: async () => {},
};

/** The samples [start, end) of `count` that are part number `part` of `parts` even ones. */
export function shard(count: number, part: number, parts: number): [number, number] {
  return [Math.floor((count * part) / parts), Math.floor((count * (part + 1)) / parts)];
}

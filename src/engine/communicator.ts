/**
 * How ranks meet. A rank is one of `size` equal programs, each with its own engine and its own shard of every
 * batch; they differ only in `rank`. All ranks must make the same calls in the same order.
 */
export interface Communicator {
  readonly rank: number;
  readonly size: number;
  /** Replaces `values` by its sum over the ranks, added in the order of ranks: the same bits on each. */
  allReduce(values: Float64Array): Promise<void>;
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
  broadcast: async () => {},
  barrier: async () => {},
};

/** The share [start, end) of `count` samples that a rank works on. */
export function shard(count: number, { rank, size }: Communicator): [number, number] {
  return [Math.floor((count * rank) / size), Math.floor((count * (rank + 1)) / size)];
}

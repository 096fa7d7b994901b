import { alone, type Communicator } from "../../src/ranks/communicator.js";

/** The communicators of ranks that take turns on this thread. */
export function localRanks(size: number): Communicator[] {
  let waiting: { values: Float64Array; go: () => void }[] = [];
  const allReduce = (values: Float64Array) =>
    new Promise<void>((go) => {
      waiting.push({ values, go });
      if (waiting.length < size) return;
      const sum = values.map((_, i) => waiting.reduce((total, rank) => total + rank.values[i], 0));
      for (const rank of waiting) {
        rank.values.set(sum);
        rank.go();
      }
      waiting = [];
    });
  return Array.from({ length: size }, (_, rank) => ({
    ...alone,
    rank,
    size,
    allReduce,
    async sumPieces(count, work, sum, own) {
      const values = sum.fill(0).slice();
      for (let piece = rank; piece < count; piece += size) {
        await work(piece, values);
        for (let i = 0; i < sum.length; i++) sum[i] += values[i];
      }
      await allReduce(sum);
      await allReduce(own);
    },
  }));
}

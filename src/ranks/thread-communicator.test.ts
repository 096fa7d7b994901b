import { expect, it } from "vitest";
import { alone } from "./communicator.js";
import { sharedSums, ThreadCommunicator } from "./thread-communicator.js";

it("leaves the pieces of a rank that is held up to the others, and adds them in their order", async () => {
  const shared = sharedSums(2, { length: 1, pieces: 6, pieceLength: 2 });
  const [first, second] = [0, 1].map((rank) => new ThreadCommunicator(shared, rank));
  // Rounding makes other sums of other orders.
  const values = [1e16, 1, -1e16, 1, 1e16, 1];
  const give = async (index: number, out: Float64Array) => out.set([values[index], index]);
  const expected = new Float64Array(2);
  await alone.sumPieces(6, give, expected, new Float64Array(0));
  expect([...expected]).toEqual([1e16, 15]);
  for (let step = 0; step < 3; step++) {
    const done: number[][] = [[], []];
    const run = async (communicator: ThreadCommunicator, work: () => Promise<unknown>) => {
      const sum = new Float64Array(2);
      const own = Float64Array.of(communicator.rank + 0.5);
      const piece = async (index: number, out: Float64Array) => {
        await work();
        done[communicator.rank].push(index);
        await give(index, out);
      };
      await communicator.sumPieces(6, piece, sum, own);
      return { sum, own };
    };
    // The second rank is held up until the first has done all else and waits: it may block its thread where it waits
    // itself, so it must be the last to arrive.
    let free = () => {};
    const held = new Promise<void>((resolve) => {
      free = resolve;
    });
    const others = async () => {
      if (done[0].length === 4) setImmediate(free);
    };
    const results = await Promise.all([run(second, () => held), run(first, others)]);
    expect(done).toEqual([[1, 2, 3, 4, 5], [0]]);
    for (const { sum, own } of results) {
      expect(sum).toEqual(expected);
      expect([...own]).toEqual([2]);
    }
  }
});

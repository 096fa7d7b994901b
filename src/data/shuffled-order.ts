import { Purpose, Random } from "../model/random.js";

/** The indices 0 .. count - 1, shuffled (Fisher and Yates): the same order for the same seed. */
export function shuffledOrder(count: number, seed: number): Uint32Array {
  const random = new Random(seed, Purpose.splitting);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    const moved = order[i];
    order[i] = order[j];
    order[j] = moved;
  }
  return order;
}

/** How many of `count` are held out for testing: a share of them, so that both parts keep at least one. */
export function heldOut(count: number, fraction: number): number {
  return Math.min(Math.max(Math.round(fraction * count), 1), count - 1);
}

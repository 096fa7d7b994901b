import { EXTENT, type ToyDensity } from "./toy-density.js";

/** 0 for squares in even rows or columns, 1 for odd ones (of side 2, counted from the origin). */
function parity(coordinate: number): number {
  return Math.abs(Math.floor(coordinate / 2)) % 2;
}

/** Uniform on the eight squares of side 2 in [-4, 4]^2 whose row and column are both even or both odd. */
export const checkerboard: ToyDensity = {
  name: "checkerboard",
  // Uniform on an area of 8 * 2^2 = 32.
  entropy: Math.log(32),
  extent: EXTENT,
  sample(random, out, offset) {
    const x = 4 * (2 * random.uniform() - 1);
    out[offset] = x;
    out[offset + 1] = 2 * (random.uniform() - 2 * random.integer(2) + parity(x));
  },
  logDensity(x, y) {
    const inside = Math.abs(x) <= 4 && Math.abs(y) <= 4 && parity(x) === parity(y);
    return inside ? -Math.log(32) : Number.NEGATIVE_INFINITY;
  },
};

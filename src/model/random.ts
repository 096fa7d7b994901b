/**
 * Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers:
 * As Easy as 1, 2, 3", SC 2011). A stream is named by (seed, purpose, step, sample), so a shard of a
 * batch draws the same numbers whichever rank draws them, and a resumed run the same as an unbroken one.
 */

/** What a stream is for; streams of different purposes never share numbers. */
export const Purpose = {
  initialisation: 0,
  training: 1,
  testing: 2,
  sampling: 3,
  splitting: 4,
  verification: 5,
  probe: 6,
  roulette: 7,
  noise: 8,
  flips: 9,
  dequantization: 10,
} as const;
export type Purpose = (typeof Purpose)[keyof typeof Purpose];

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;

/** High 32 bits of the 64-bit product of two unsigned 32-bit numbers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const cross = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(cross / 0x10000)) >>> 0;
}

/** The ten-round Philox4x32 block: encrypts `counter` (4 words) under `key` (2 words) into `out`. */
export function philox(counter: Uint32Array, key: Uint32Array, out: Uint32Array): void {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const low0 = Math.imul(MULTIPLIER_0, c0) >>> 0;
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low1 = Math.imul(MULTIPLIER_1, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** A source of random numbers; `seek` moves it to the stream of another sample without allocating. */
export class Random {
  readonly #key = new Uint32Array(2);
  readonly #counter = new Uint32Array(4);
  readonly #block = new Uint32Array(4);
  #used = 4;
  #spare = Number.NaN;

  /** The stream of (seed, purpose, step, sample); seeds are integers from 0 to 2^53 - 1. */
  constructor(seed: number, purpose: Purpose, step = 0, sample = 0) {
    this.#key[0] = seed % 0x1_0000_0000;
    this.#key[1] = (purpose << 24) ^ Math.floor(seed / 0x1_0000_0000);
    this.seek(step, sample);
  }

  /** Goes to the start of the stream of (step, sample), with the same seed and purpose. */
  seek(step: number, sample: number): this {
    this.#counter[0] = 0;
    this.#counter[1] = sample;
    this.#counter[2] = step % 0x1_0000_0000;
    this.#counter[3] = Math.floor(step / 0x1_0000_0000);
    this.#used = 4;
    this.#spare = Number.NaN;
    return this;
  }

  /** A uniformly distributed unsigned 32-bit word. */
  word(): number {
    if (this.#used === 4) {
      philox(this.#counter, this.#key, this.#block);
      this.#counter[0]++;
      this.#used = 0;
    }
    return this.#block[this.#used++];
  }

  /** Uniform on (0, 1), with 32 random bits; never exactly 0 or 1. */
  uniform(): number {
    return (this.word() + 0.5) / 0x1_0000_0000;
  }

  /** Uniform on the integers 0 to `bound` - 1 (by scaling: the bias is below bound / 2^32). */
  integer(bound: number): number {
    return Math.floor(this.uniform() * bound);
  }

  /** Standard normal (Box and Muller). */
  normal(): number {
    const spare = this.#spare;
    if (!Number.isNaN(spare)) {
      this.#spare = Number.NaN;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }
}

/** Changes of bytes, drawn by a seed: what a disk, a transfer, another program or an attacker makes of a file. */

/** Numbers in [0, 1) (mulberry32): the same for the same seed and number of a mutant. */
export class Draws {
  #state: number;

  constructor(seed: number, mutant: number) {
    this.#state = (Math.imul(seed + 1, 0x9e3779b9) ^ Math.imul(mutant + 1, 0x85ebca6b)) >>> 0;
    this.integer(1);
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let x = this.#state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  }

  /** One of 0 .. below - 1. */
  integer(below: number): number {
    return Math.floor(this.next() * below);
  }

  of<T>(list: readonly T[]): T {
    return list[this.integer(list.length)];
  }
}

/** What may stand in place of a number, or of a value of a JSON file. */
const EXTREMES = [
  ..."0 -1 1 7 -0 0.5 1e9 4294967296 9007199254740993 1e308 1e999 -1e999 1e-320 NaN Infinity null true [] {}".split(
    " ",
  ),
  '"x"',
  "9".repeat(100_000),
  "[".repeat(100_000),
  `${"1".repeat(200_000)}x`,
  "\u001b[31m",
];
const WORDS = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

const joined = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
const encode = (text: string) => new TextEncoder().encode(text);

type Mutator = (bytes: Uint8Array, draws: Draws) => Uint8Array;

/** A stretch of the bytes: its start and its end, mostly short. */
function stretch(bytes: Uint8Array, draws: Draws): [number, number] {
  const start = draws.integer(bytes.length + 1);
  const longest = draws.integer(2) ? 16 : bytes.length;
  return [start, Math.min(bytes.length, start + 1 + draws.integer(longest))];
}

const mutators: Readonly<Record<string, Mutator>> = {
  flip(bytes, draws) {
    const out = bytes.slice();
    for (let n = 1 + draws.integer(3); n > 0 && out.length > 0; n--)
      out[draws.integer(out.length)] ^= 1 << draws.integer(8);
    return out;
  },
  truncate: (bytes, draws) => bytes.slice(0, draws.integer(bytes.length + 1)),
  remove(bytes, draws) {
    const [start, end] = stretch(bytes, draws);
    return joined(bytes.subarray(0, start), bytes.subarray(end));
  },
  duplicate(bytes, draws) {
    const [start, end] = stretch(bytes, draws);
    return joined(bytes.subarray(0, end), bytes.subarray(start));
  },
  splice(bytes, draws) {
    const [start, end] = stretch(bytes, draws);
    const out = bytes.slice();
    out.set(bytes.subarray(start, end), draws.integer(bytes.length - (end - start) + 1));
    return out;
  },
  insert(bytes, draws) {
    const at = draws.integer(bytes.length + 1);
    const noise = Uint8Array.from({ length: 1 + draws.integer(64) }, () => draws.integer(256));
    return joined(bytes.subarray(0, at), noise, bytes.subarray(at));
  },
  zeros(bytes, draws) {
    const [start, end] = stretch(bytes, draws);
    return bytes.slice().fill(0, start, end);
  },
  /** A number of a header. */
  word(bytes, draws) {
    const out = bytes.slice();
    if (out.length < 4) return out;
    const at = draws.integer(Math.min(out.length - 3, 128));
    new DataView(out.buffer).setUint32(at, draws.of(WORDS), draws.integer(2) === 1);
    return out;
  },
  /** A number of a text. */
  number(bytes, draws) {
    const text = Buffer.from(bytes).toString("latin1");
    const found = [...text.slice(0, 20_000).matchAll(/-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/g)];
    if (found.length === 0) return mutators.flip(bytes, draws);
    const { index, 0: number } = draws.of(found);
    return joined(
      bytes.subarray(0, index),
      encode(draws.of(EXTREMES)),
      bytes.subarray(index + number.length),
    );
  },
  /** A separator more, or another one. */
  separator(bytes, draws) {
    const at = draws.integer(bytes.length + 1);
    const mark = encode(draws.of([" ", "\n", "\r", ",", ";", "\t", '"', "{", "}", ":", "\ufeff", "\0"]));
    return joined(bytes.subarray(0, at), mark, bytes.subarray(at + draws.integer(2)));
  },
};

/** Bytes that were changed, once or several times, and how. */
export function mutate(bytes: Uint8Array, draws: Draws): { bytes: Uint8Array; how: string } {
  const how: string[] = [];
  let out = bytes;
  do {
    const name = draws.of(Object.keys(mutators));
    how.push(name);
    out = mutators[name](out, draws);
  } while (draws.integer(4) === 0);
  return { bytes: out, how: how.join(", ") };
}

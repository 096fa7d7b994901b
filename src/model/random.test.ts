import { describe, expect, it } from "vitest";
import { Purpose, philox, Random } from "./random.js";

describe("Philox4x32-10", () => {
  // kat_vectors of Random123, the authors' own library.
  it.each([
    ["zeros", [0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
    [
      "ones",
      Array(4).fill(0xffffffff),
      Array(2).fill(0xffffffff),
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      "the digits of pi",
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])("meets the known answer for %s", (_, counter, key, expected) => {
    const out = new Uint32Array(4);
    philox(Uint32Array.from(counter), Uint32Array.from(key), out);
    expect(Array.from(out)).toEqual(expected);
  });
});

describe("Random", () => {
  const COUNT = 100_000;

  /** Raw moments 1 to 4, each with the standard error that its sampling distribution implies. */
  function moments(draw: () => number, expected: number[], variances: number[]) {
    const sums = [0, 0, 0, 0];
    for (let n = 0; n < COUNT; n++) {
      const x = draw();
      for (let k = 0, power = x; k < 4; k++, power *= x) sums[k] += power;
    }
    return sums.map((sum, k) => (sum / COUNT - expected[k]) / Math.sqrt(variances[k] / COUNT));
  }

  it("draws uniform numbers with the moments of (0, 1)", () => {
    const random = new Random(1, Purpose.testing);
    const expected = [1, 2, 3, 4].map((k) => 1 / (k + 1));
    const variances = [1, 2, 3, 4].map((k) => 1 / (2 * k + 1) - 1 / (k + 1) ** 2);
    for (const z of moments(() => random.uniform(), expected, variances)) expect(Math.abs(z)).toBeLessThan(4);
  });

  it("draws normal numbers with the moments of the standard normal", () => {
    const random = new Random(2, Purpose.testing);
    for (const z of moments(() => random.normal(), [0, 1, 0, 3], [1, 2, 15, 96])) {
      expect(Math.abs(z)).toBeLessThan(4);
    }
  });

  it("draws integers from 0 to bound - 1, equally often", () => {
    const random = new Random(3, Purpose.testing);
    const counts = new Array(7).fill(0);
    for (let n = 0; n < COUNT; n++) counts[random.integer(7)]++;
    const chiSquared = counts.reduce((sum, c) => sum + (c - COUNT / 7) ** 2 / (COUNT / 7), 0);
    expect(chiSquared).toBeLessThan(22.5); // 99.9 % of chi-squared with 6 degrees of freedom
  });

  const start = (random: Random) => Array.from({ length: 11 }, () => random.word());

  it("gives every (seed, purpose, step, sample) a stream of its own", () => {
    const streams = [
      new Random(0, Purpose.training),
      new Random(1, Purpose.training),
      new Random(2 ** 32, Purpose.training),
      new Random(2 ** 53 - 1, Purpose.training),
      new Random(0, Purpose.testing),
      new Random(0, Purpose.training, 1),
      new Random(0, Purpose.training, 2 ** 32),
      new Random(0, Purpose.training, 0, 1),
      new Random(0, Purpose.training, 1, 1),
    ].map(start);
    // No word turns up twice anywhere (by chance it would once in half a million runs).
    expect(new Set(streams.flat()).size).toBe(streams.flat().length);
  });

  it("comes back to a stream by seek, wherever it was", () => {
    const random = new Random(5, Purpose.sampling, 3, 4);
    const first = start(random);
    random.normal(); // leaves a spare normal number and a block half used
    expect(start(random)).not.toEqual(first);
    expect(start(random.seek(3, 4))).toEqual(first);
    expect(start(new Random(5, Purpose.sampling).seek(3, 4))).toEqual(first);
    // Normal numbers come in pairs: the second of a pair must not survive a seek.
    const normal = random.seek(3, 4).normal();
    expect(random.seek(3, 4).normal()).toBe(normal);
    expect(random.normal()).not.toBe(normal);
  });
});

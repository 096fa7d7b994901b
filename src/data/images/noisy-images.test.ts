import { describe, expect, it } from "vitest";
import type { ImageData, ImageSet } from "./image-set.js";
import { noisyImages } from "./noisy-images.js";

const shape = { channels: 2, height: 1, width: 3 };

/** Image i holds the pixels 10 i, 10 i + 1, ... */
const set = (count: number, first = 0): ImageSet => ({
  shape,
  levels: 256,
  count,
  read: (index, out) => out.set(Array.from({ length: 6 }, (_, i) => 10 * (first + index) + i)),
});
const images: ImageData = { name: "made", train: set(20), test: set(5, 20), close() {} };

describe("noisy images", () => {
  it("adds noise of its own to every pixel, below the next one", () => {
    const source = noisyImages(images);
    const rows = new Float64Array(6 * 2000);
    source.fill(rows, 1, 0, 0, 2000);
    const noise = rows.map((x) => x - Math.floor(x));
    expect(noise.reduce((a, b) => a + b, 0) / noise.length).toBeCloseTo(0.5, 1);
    expect(new Set(noise).size).toBe(noise.length);
    const firsts = new Set<number>();
    for (let i = 0; i < 2000; i++) {
      const image = Array.from(rows.subarray(6 * i, 6 * i + 6), Math.floor);
      expect(image).toEqual(Array.from({ length: 6 }, (_, j) => image[0] + j));
      firsts.add(image[0]);
    }
    expect(firsts.size).toBe(20);
  });

  it("draws the same sample whoever draws it", () => {
    const source = noisyImages(images, { flips: true });
    const [all, part] = [new Float64Array(6 * 10), new Float64Array(6 * 4)];
    source.fill(all, 3, 7, 0, 10);
    source.fill(part, 3, 7, 6, 4);
    expect(part).toEqual(all.subarray(36));
    source.fill(part, 3, 8, 6, 4);
    expect(part).not.toEqual(all.subarray(36));
  });

  it("draws other images at every step, and other noise, whichever the images are", () => {
    const source = noisyImages(images);
    const [one, other] = [new Float64Array(6 * 50), new Float64Array(6 * 50)];
    source.fill(one, 3, 7, 0, 50);
    for (const [what, seed, step, start] of [
      ["step", 3, 8, 0],
      ["seed", 4, 7, 0],
      ["sample", 3, 7, 50],
    ] as const) {
      source.fill(other, seed, step, start, 50);
      const kept = (part: (x: number) => number) =>
        other.filter((x, i) => part(x) === part(one[i])).length / 6;
      // Of 20 images, one in 20 is the same by chance.
      expect(kept(Math.floor), `images that another ${what} keeps`).toBeLessThan(10);
      expect(
        kept((x) => x % 1),
        `noise that another ${what} keeps`,
      ).toBe(0);
    }
  });

  it("adds noise of its own to every test image", () => {
    const { values } = noisyImages(images).test(0, 5);
    const noise = values.map((x) => x - Math.floor(x));
    expect(new Set(noise).size, "different numbers of noise").toBe(values.length);
    const training = new Float64Array(6 * 5);
    noisyImages(images).fill(training, 0, 0, 0, 5);
    expect(new Set([...noise, ...training.map((x) => x - Math.floor(x))]).size).toBe(2 * values.length);
  });

  it("does not mirror unless told to", () => {
    const rows = new Float64Array(6 * 200);
    noisyImages(images).fill(rows, 1, 0, 0, 200);
    for (let i = 0; i < 200; i++) expect(Math.floor(rows[6 * i]) % 10).toBe(0);
    const test = noisyImages(images, { flips: true }).test(0, 5);
    for (let i = 0; i < 5; i++) expect(Math.floor(test.at(i, 0)) % 10, "test images").toBe(0);
  });

  it("mirrors half of the images, row by row", () => {
    const source = noisyImages(images, { flips: true });
    const rows = new Float64Array(6 * 1000);
    source.fill(rows, 1, 0, 0, 1000);
    let mirrored = 0;
    for (let i = 0; i < 1000; i++) {
      const image = Array.from(rows.subarray(6 * i, 6 * i + 6), (x) => Math.floor(x) % 10);
      if (image[0] === 0) expect(image).toEqual([0, 1, 2, 3, 4, 5]);
      else {
        expect(image).toEqual([2, 1, 0, 5, 4, 3]);
        mirrored++;
      }
    }
    // Five standard errors.
    expect(Math.abs(mirrored - 500)).toBeLessThan(80);
    // And not the same ones at every step, for every seed.
    const turned = (seed: number, step: number) => {
      source.fill(rows, seed, step, 0, 1000);
      return Array.from({ length: 1000 }, (_, i) => Math.floor(rows[6 * i]) % 10 !== 0);
    };
    const own = turned(1, 0);
    for (const [seed, step] of [
      [1, 1],
      [2, 0],
    ]) {
      const same = turned(seed, step).filter((t, i) => t === own[i]).length;
      expect(Math.abs(same - 500), `mirrored as before, seed ${seed}, step ${step}`).toBeLessThan(80);
    }
  });

  it("gives the test set in its order, a part of it where asked, always with the same noise", () => {
    const source = noisyImages(images);
    const all = source.test(0, 100);
    expect([all.rows, all.columns, source.testRows]).toEqual([5, 6, 5]);
    expect(Array.from(all.column(0), Math.floor)).toEqual([200, 210, 220, 230, 240]);
    expect(source.test(0, 2, 3).values).toEqual(all.slice(3).values);
    expect(source.test(0, 10, 5).rows).toBe(0);
    expect(source.test(1, 5).values).not.toEqual(all.values);
  });

  it("refuses an empty set", () => {
    expect(() => noisyImages({ ...images, test: set(0) })).toThrow(/no images to train on or to test with/);
  });
});

it("refuses pixels beyond the levels that a set declares", () => {
  const few = { ...set(1), levels: 5 };
  const source = noisyImages({ ...images, train: few, test: few });
  const message = "made, image 1, value 6: a pixel is an integer from 0 to 4, not 5";
  expect(() => source.test(0, 1)).toThrow(message);
  expect(() => source.fill(new Float64Array(6), 0, 0, 0, 1)).toThrow(message);
});

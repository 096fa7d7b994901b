/**
 * Images as a flow learns them: pixels with uniform noise on [0, 1) (dequantization, Theis et al. 2016), so that
 * log-densities of the noisy pixels bound the log-probabilities of the pixels; some of them mirrored where wanted.
 */

import { check } from "../../errors.js";
import { Purpose, Random } from "../../model/random.js";
import { Table } from "../../table.js";
import type { DataSource } from "../source.js";
import { type ImageData, type ImageSet, imageSize } from "./image-set.js";

/** Levels of a byte. */
const BYTES = 256;

export interface NoisyImagesOptions {
  /** Whether half of the training images are mirrored at random, left and right (default false). */
  flips?: boolean;
}

/** Training draws images with replacement; the test sample is the test set in its order. Throws `input` if either is empty. */
export function noisyImages(images: ImageData, { flips = false }: NoisyImagesOptions = {}): DataSource {
  const { train, test, name } = images;
  check(
    train.count > 0 && test.count > 0,
    "input",
    `${name}: there are no images to train on or to test with`,
  );
  const dim = imageSize(train.shape);
  const pixels = new Uint8Array(dim);
  /** Reads an image and adds the noise of a stream. */
  const put = (set: ImageSet, index: number, out: Float64Array, at: number, noise: Random) => {
    set.read(index, pixels);
    if (set.levels < BYTES) checkPixels(name, index, pixels, set.levels);
    for (let i = 0; i < dim; i++) out[at + i] = pixels[i] + noise.uniform();
  };
  return {
    name,
    dim,
    entropy: null,
    columns: Array.from({ length: dim }, (_, i) => `pixel ${i + 1}`),
    density: null,
    image: { shape: train.shape, levels: train.levels },
    testRows: test.count,
    fill(out, seed, step, start, count) {
      const choice = new Random(seed, Purpose.training);
      const noise = new Random(seed, Purpose.noise);
      const turn = new Random(seed, Purpose.flips);
      for (let i = 0; i < count; i++) {
        const index = choice.seek(step, start + i).integer(train.count);
        put(train, index, out, i * dim, noise.seek(step, start + i));
        if (flips && turn.seek(step, start + i).uniform() < 0.5) {
          mirror(out.subarray(i * dim, (i + 1) * dim), train.shape.width);
        }
      }
    },
    test(seed, count, first = 0) {
      const rows = Math.max(0, Math.min(count, test.count - first));
      const table = new Table(rows, dim);
      const noise = new Random(seed, Purpose.testing);
      for (let i = 0; i < rows; i++) put(test, first + i, table.values, i * dim, noise.seek(0, first + i));
      return table;
    },
  };
}

/** Throws `input` unless all pixels are below the number of levels; what comes as bytes with 256 levels always is. */
function checkPixels(name: string, index: number, pixels: Uint8Array, levels: number): void {
  const wrong = pixels.findIndex((x) => x >= levels);
  check(
    wrong < 0,
    "input",
    `${name}, image ${index + 1}, value ${wrong + 1}: a pixel is an integer from 0 to ${levels - 1}, not ${pixels[wrong]}`,
  );
}

/** Turns every row of pixels round. */
function mirror(image: Float64Array, width: number): void {
  for (let from = 0; from < image.length; from += width) image.subarray(from, from + width).reverse();
}

import { GaussianMixture } from "./gaussian-mixture.js";
import { EXTENT, type ToyDensity } from "./toy-density.js";

// biome-ignore lint/suspicious/noApproximativeNumericConstant: published results were made with this figure
const SCALE = 1 / 1.414;
const SIGMA = 0.5 * SCALE;

const centres = Array.from({ length: 8 }, (_, i) => ({
  x: 4 * SCALE * Math.cos((Math.PI * i) / 4),
  y: 4 * SCALE * Math.sin((Math.PI * i) / 4),
  weight: 1 / 8,
}));
const mixture = new GaussianMixture(centres, SIGMA);

/** Eight equal Gaussians on the compass points: (centre + 0.5 N) / 1.414 with centres at radius 4. */
export const eightGaussians: ToyDensity = {
  name: "8gaussians",
  // -p log p summed over [-6, 6]^2 at steps of 0.02 and 0.0125: equal to six digits.
  entropy: 2.83188,
  extent: EXTENT,
  sample(random, out, offset) {
    const centre = centres[random.integer(centres.length)];
    out[offset] = centre.x + SIGMA * random.normal();
    out[offset + 1] = centre.y + SIGMA * random.normal();
  },
  logDensity: (x, y) => mixture.logDensity(x, y),
};

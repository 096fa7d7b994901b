import { GaussianMixture } from "./gaussian-mixture.js";
import { equalBreaks, panels } from "./quadrature.js";
import { EXTENT, type ToyDensity } from "./toy-density.js";

const SCALE = 1 / 5;
const START = 1.5 * Math.PI;
const END = 4.5 * Math.PI;

function curve(t: number): { x: number; y: number } {
  return { x: SCALE * t * Math.cos(t), y: SCALE * t * Math.sin(t) };
}

// Forty panels of 8 points: the outermost spans 3.3 standard deviations of the noise, error about 1e-8.
const { nodes, weights } = panels(8, equalBreaks(START, END, 40));
const mixture = new GaussianMixture(
  nodes.map((t, i) => ({ ...curve(t), weight: weights[i] })),
  SCALE,
);

/**
 * A spiral: ((t cos t, t sin t) + N) / 5 with t uniform on [1.5 pi, 4.5 pi] and N standard normal in
 * both coordinates. p is the integral over t.
 */
export const swissRoll: ToyDensity = {
  name: "swissroll",
  // -p log p summed over [-6, 6]^2 at steps of 0.02 and 0.0125: equal to six digits.
  entropy: 2.669646,
  extent: EXTENT,
  sample(random, out, offset) {
    const { x, y } = curve(START + (END - START) * random.uniform());
    out[offset] = x + SCALE * random.normal();
    out[offset + 1] = y + SCALE * random.normal();
  },
  logDensity: (x, y) => mixture.logDensity(x, y),
};

import { GaussianMixture } from "./gaussian-mixture.js";
import { equalBreaks, panels } from "./quadrature.js";
import { EXTENT, type ToyDensity } from "./toy-density.js";

const SIGMA = 2 * 0.1;

/** A point of the upper (moon 0) or the lower half circle (moon 1), enlarged and shifted; t in [0, pi]. */
function curve(moon: number, t: number): { x: number; y: number } {
  const x = moon === 0 ? Math.cos(t) : 1 - Math.cos(t);
  const y = moon === 0 ? Math.sin(t) : 0.5 - Math.sin(t);
  return { x: 2 * x - 1, y: 2 * y - 0.2 };
}

// Ten panels of 8 points: each spans 3.2 standard deviations of the noise, error about 1e-8.
const { nodes, weights } = panels(8, equalBreaks(0, Math.PI, 10));
const mixture = new GaussianMixture(
  [0, 1].flatMap((moon) => nodes.map((t, i) => ({ ...curve(moon, t), weight: weights[i] }))),
  SIGMA,
);

/**
 * Two interleaved half circles, equally probable: (cos t, sin t) and (1 - cos t, 0.5 - sin t) with t
 * uniform on [0, pi] and noise 0.1, times 2, shifted by (-1, -0.2). p is the integral over t.
 */
export const moons: ToyDensity = {
  name: "moons",
  // -p log p summed over [-6, 6]^2 at steps of 0.02 and 0.0125: equal to six digits.
  entropy: 2.393879,
  extent: EXTENT,
  sample(random, out, offset) {
    const { x, y } = curve(random.integer(2), Math.PI * random.uniform());
    out[offset] = x + SIGMA * random.normal();
    out[offset + 1] = y + SIGMA * random.normal();
  },
  logDensity: (x, y) => mixture.logDensity(x, y),
};

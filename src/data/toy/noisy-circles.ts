import { type Component, GaussianMixture } from "./gaussian-mixture.js";
import { EXTENT, type ToyDensity } from "./toy-density.js";

/** The nodes lie this many standard deviations apart. */
const SPACING = 0.7;

/**
 * Concentric circles, equally probable, blurred by Gaussian noise of standard deviation sigma.
 *
 * p(x) = mean over radii r of 1 / (2 pi) * integral over [0, 2 pi] of N(x; r (cos a, sin a), sigma^2 I) da.
 * The integrand is periodic, so equally spaced nodes converge faster than any power of the spacing h: the
 * relative error at distance d from the origin is about 2 exp(-2 pi^2 (sigma / h)^2 r / d).
 */
export function noisyCircles(
  name: string,
  entropy: number,
  radii: readonly number[],
  sigma: number,
): ToyDensity {
  const components = radii.flatMap((radius): Component[] => {
    const count = Math.ceil((2 * Math.PI * radius) / (SPACING * sigma));
    return Array.from({ length: count }, (_, i) => {
      const angle = (2 * Math.PI * i) / count;
      return { x: radius * Math.cos(angle), y: radius * Math.sin(angle), weight: 1 / count };
    });
  });
  const mixture = new GaussianMixture(components, sigma);
  return {
    name,
    entropy,
    extent: EXTENT,
    sample(random, out, offset) {
      const radius = radii[random.integer(radii.length)];
      const angle = 2 * Math.PI * random.uniform();
      out[offset] = radius * Math.cos(angle) + sigma * random.normal();
      out[offset + 1] = radius * Math.sin(angle) + sigma * random.normal();
    },
    logDensity: (x, y) => mixture.logDensity(x, y),
  };
}

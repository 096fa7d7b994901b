import { type Component, GaussianMixture } from "./gaussian-mixture.js";
import { gaussLegendre, panels } from "./quadrature.js";
import { EXTENT, type ToyDensity } from "./toy-density.js";

const LENGTH = 3 * Math.PI;
const SIGMA = 0.1;

/** A point of one arm (sign 1) or the other (-1): angle n in [0, 3 pi], offsets u and v in [0, 1]. */
function point(sign: number, n: number, u: number, v: number): { x: number; y: number } {
  return {
    x: (sign * (-n * Math.cos(n) + u / 2)) / 3,
    y: (sign * (n * Math.sin(n) + v / 2)) / 3,
  };
}

function quadrature(): Component[] {
  // n = 3 pi sqrt(U) has the density 2 n / (3 pi)^2. Ends of panels at equal steps of U make panels of
  // about equal length, 3.5 standard deviations of the noise: 8 points each leave an error about 1e-8.
  const count = 44;
  const breaks = Array.from({ length: count + 1 }, (_, i) => LENGTH * Math.sqrt(i / count));
  const angle = panels(8, breaks);
  // u and v move the point by up to 1.7 standard deviations: 5 points each, error about 1e-7.
  const offset = gaussLegendre(5, 0, 1);
  const components: Component[] = [];
  for (const sign of [1, -1]) {
    angle.nodes.forEach((n, i) => {
      offset.nodes.forEach((u, j) => {
        offset.nodes.forEach((v, k) => {
          const weight = n * angle.weights[i] * offset.weights[j] * offset.weights[k];
          components.push({ ...point(sign, n, u, v), weight });
        });
      });
    });
  }
  return components;
}

const mixture = new GaussianMixture(quadrature, SIGMA);

/**
 * Two arms of a spiral, each the other's point reflection: +-(-n cos n + U/2, n sin n + U'/2) / 3 + 0.1 N
 * with n = 3 pi sqrt(U''); U, U', U'' uniform on [0, 1] and N standard normal in both coordinates.
 * p is the integral over n, U and U'.
 */
export const twoSpirals: ToyDensity = {
  name: "2spirals",
  // -p log p summed over [-6, 6]^2 at steps of 0.02 and 0.0125: equal to six digits.
  entropy: 2.64545,
  extent: EXTENT,
  sample(random, out, offset) {
    const sign = random.integer(2) === 0 ? 1 : -1;
    const n = LENGTH * Math.sqrt(random.uniform());
    const { x, y } = point(sign, n, random.uniform(), random.uniform());
    out[offset] = x + SIGMA * random.normal();
    out[offset + 1] = y + SIGMA * random.normal();
  },
  logDensity: (x, y) => mixture.logDensity(x, y),
};

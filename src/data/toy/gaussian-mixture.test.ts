import { expect, it } from "vitest";
import { Purpose, Random } from "../../model/random.js";
import { GaussianMixture } from "./gaussian-mixture.js";

it("agrees with the plain sum over all components, near and far", () => {
  const random = new Random(0, Purpose.testing);
  const sigma = 0.2;
  const components = Array.from({ length: 203 }, () => ({
    x: 3 * random.normal(),
    y: 3 * random.normal(),
    weight: 0.1 + random.uniform(),
  }));
  const mixture = new GaussianMixture(components, sigma);
  const total = components.reduce((sum, { weight }) => sum + weight, 0);
  for (const scale of [1, 10, 1000]) {
    for (let i = 0; i < 100; i++) {
      const x = scale * random.normal();
      const y = scale * random.normal();
      const exponents = components.map((c) => -((x - c.x) ** 2 + (y - c.y) ** 2) / (2 * sigma * sigma));
      const best = Math.max(...exponents);
      const sum = components.reduce((s, c, k) => s + c.weight * Math.exp(exponents[k] - best), 0);
      const expected = best + Math.log(sum / (total * 2 * Math.PI * sigma * sigma));
      expect(Math.abs(mixture.logDensity(x, y) - expected)).toBeLessThan(1e-11 * (1 + Math.abs(expected)));
    }
  }
});

import { expect, it } from "vitest";
import { testRandom } from "../../test/support/rows.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { Parameters } from "../model/parameters.js";
import { convolutionNormBound } from "./convolution-norm.js";
import { GridNorm } from "./grid-norm.js";

/** The norm of random convolutions of 3 to 2 channels on a grid of 4 x 3. */
function made() {
  const random = testRandom(71);
  const parameters = new Parameters();
  const values = Float64Array.from({ length: 2 * 9 * 3 }, () => random.normal());
  const weight = parameters.learned("weight", [2, 9, 3], values);
  const norm = new GridNorm(
    new ReferenceEngine(),
    parameters,
    "g",
    0,
    weight,
    { height: 4, width: 3 },
    random,
  );
  parameters.seal();
  return { norm, weight, random };
}

/** The root of the mean of the squared singular values, from the explicit sum over pixels and taps. */
function rootMeanSquare(w: Float64Array): number {
  let squares = 0;
  for (let y = 0; y < 4; y++)
    for (let x = 0; x < 3; x++)
      w.forEach((value, i) => {
        const tap = Math.floor(i / 3) % 9;
        const [v, u] = [y + Math.floor(tap / 3) - 1, x + (tap % 3) - 1];
        if (v >= 0 && v < 4 && u >= 0 && u < 3) squares += value ** 2;
      });
  return Math.sqrt(squares / (2 * 4 * 3));
}

it("is found by power iteration, with its gradient, and bounded at any effort", async () => {
  const { norm, weight } = made();
  expect(norm.sigma()).toBe(0);
  expect(norm.bound("known")).toBe(Number.POSITIVE_INFINITY);
  expect(norm.bound("cheap")).toBe(Number.POSITIVE_INFINITY);
  await norm.iterate(300, 0);
  const sigma = norm.sigma();
  const tight = convolutionNormBound(weight.values, 2, 3, 4, 3);
  expect(sigma).toBeLessThanOrEqual(tight);
  expect(sigma).toBeGreaterThan(0.997 * tight);
  expect(norm.bound("cheap")).toBe(1.03 * sigma);
  expect(norm.bound("certain")).toBe(convolutionNormBound(weight.values, 2, 3, 4, 3, "quick"));
  expect(norm.bound("tight")).toBe(tight);
  expect(norm.bound("known")).toBeLessThanOrEqual(tight);
  // What is proven is less than what is trusted.
  expect(norm.bound("cheap")).toBe(norm.bound("known"));
  weight.gradient.fill(1);
  norm.addGradient(2);
  for (const i of [0, 17, 53]) {
    const before = weight.values[i];
    const at = (value: number) => {
      weight.values[i] = value;
      return norm.sigma();
    };
    const slope = (at(before + 1) - at(before - 1)) / 2;
    weight.values[i] = before;
    expect(weight.gradient[i]).toBeCloseTo(1 + 2 * slope, 10);
  }
});

it("ends early where a round changes little, and never before a first one", async () => {
  const [loose, strict] = [made(), made()];
  await loose.norm.iterate(300, 1e-1);
  await strict.norm.iterate(300, 0);
  expect(loose.norm.sigma()).toBeLessThan(strict.norm.sigma() * (1 - 1e-9));
  expect(loose.norm.sigma()).toBeGreaterThan(0.5 * strict.norm.sigma());
});

it("is not trusted where it is less than the root mean square of the singular values", async () => {
  const { norm, weight, random } = made();
  await norm.iterate(300, 0);
  const own = weight.values.slice();
  const seen = new Set<boolean>();
  for (let n = 0; n < 200; n++) {
    weight.values.set(own.map((value) => value + 3 * random.uniform() * random.normal()));
    const trusted = norm.sigma() >= rootMeanSquare(weight.values);
    seen.add(trusted);
    expect(norm.bound("cheap")).toBe(trusted ? 1.03 * norm.sigma() : Number.POSITIVE_INFINITY);
  }
  expect(seen.size).toBe(2);
});

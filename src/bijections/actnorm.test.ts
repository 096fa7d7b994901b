/** On images; what holds for vectors as well is in `blocks.test.ts`. */
import { beforeEach, expect, it } from "vitest";
import { expectClose } from "../../test/support/close.js";
import { testRandom } from "../../test/support/rows.js";
import { type Matrix, matrix } from "../engine/engine.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { collectGradient } from "../model/gradients.js";
import { Parameters } from "../model/parameters.js";
import { Actnorm } from "./actnorm.js";

const [CHANNELS, PLACES, SAMPLES] = [2, 3, 4];
const engine = new ReferenceEngine();
let parameters: Parameters;
let actnorm: Actnorm;
let x: Float64Array;

beforeEach(() => {
  const random = testRandom(91);
  parameters = new Parameters();
  actnorm = new Actnorm(engine, parameters, "a", CHANNELS, PLACES);
  parameters.seal();
  parameters.values.set(parameters.values.map(() => random.normal()));
  actnorm.prepare();
  x = Float64Array.from({ length: CHANNELS * PLACES * SAMPLES }, () => random.normal());
});

const image = (values: ArrayLike<number>): Matrix => {
  const m = matrix(engine.tensor(values.length), CHANNELS, PLACES * SAMPLES);
  engine.write(m.tensor, values);
  return m;
};
const zeros = () => matrix(engine.tensor(SAMPLES), 1, SAMPLES);
const numbers = async ({ tensor, rows, lanes }: Matrix) => {
  const out = new Float64Array(rows * lanes);
  await engine.read(tensor, out);
  return out;
};

it("counts the log-scale of a channel once a pixel, there and back", async () => {
  const [y, back, logDet] = [image(x), image(x), zeros()];
  await actnorm.forward(y, image(x), logDet);
  const expected = PLACES * (actnorm.logScale.values[0] + actnorm.logScale.values[1]);
  expectClose(
    await numbers(logDet),
    Float64Array.from({ length: SAMPLES }, () => expected),
    1e-14,
  );
  const first = (x[0] + actnorm.shift.values[0]) * Math.exp(actnorm.logScale.values[0]);
  expect((await numbers(y))[0]).toBeCloseTo(first, 12);
  await actnorm.inverse(back, y, logDet);
  expectClose(await numbers(back), x, 1e-14);
  expectClose(await numbers(logDet), new Float64Array(SAMPLES), 1e-14, "log-determinant there and back");
});

it("has the gradient of as many log-scales, and none that was taken before", async () => {
  const bars = new Float64Array(x.length);
  for (let pass = 0; pass < 2; pass++) {
    await actnorm.forward(image(x), image(x), zeros());
    const logDetBar = zeros();
    engine.write(logDetBar.tensor, [1, 2, 0, -0.5]);
    await actnorm.backward(image(x), image(bars), logDetBar);
    parameters.gradient.fill(0);
    await collectGradient(actnorm);
    expectClose(
      parameters.gradient,
      [0, 0, 2.5 * PLACES, 2.5 * PLACES],
      1e-14,
      "gradient of shift and log-scale",
    );
  }
});

it("starts with outputs of mean 0 and variance 1", () => {
  actnorm.initialise([3, -1], [4, 0.25], 100);
  expectClose(actnorm.shift.values, [-3, 1], 1e-14);
  expectClose(actnorm.logScale.values, [-Math.log(2), Math.log(2)], 1e-5);
  expect(actnorm.started.values[0]).toBe(1);
});

it("has a floor for variances, which are then those of samples", () => {
  const floored = new Actnorm(engine, new Parameters(), "b", CHANNELS, PLACES, 0.2);
  floored.initialise([0, 0], [4, 0.01], 100);
  expectClose(floored.logScale.values, [-0.5 * Math.log((4 * 300) / 299), -0.5 * Math.log(0.2)], 1e-14);
});

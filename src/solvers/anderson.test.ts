import { expect, it } from "vitest";
import { expectClose } from "../../test/support/close.js";
import { hostMap, watchSolve } from "../../test/support/lane-map.js";
import { smallNetwork } from "../../test/support/networks.js";
import { normalRows, testRandom } from "../../test/support/rows.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { Anderson, type AndersonOptions } from "./anderson.js";
import { FixedPoint } from "./fixed-point.js";

const engine = new ReferenceEngine();

it("is the secant method in one dimension", async () => {
  const g = (w: number) => Math.sin(w) / 2;
  const residual = (w: number) => w + g(w) - 2;
  const { trace } = await watchSolve(
    engine,
    new Anderson(engine, 1, 1),
    hostMap(engine, 1, 1, ([w]) => [g(w)]),
    { target: [[2]], start: [[0]], tolerance: 1e-12 },
  );
  const expected = [0, 2];
  while (expected.length < trace.length) {
    const [before, now] = expected.slice(-2);
    expected.push(now - (residual(now) * (now - before)) / (residual(now) - residual(before)));
  }
  expectClose(trace.flat(2), expected, 1e-7);
});

it("solves linear equations of d unknowns in d + 2 evaluations", async () => {
  for (const [dim, size] of [
    [1, 0.9],
    [2, 0.3],
    [4, 0.2],
    [5, 0.15],
  ]) {
    const random = testRandom(20 + dim);
    const a = normalRows(random, dim, dim, size);
    const product = (w: number[]) => a.map((row) => row.reduce((sum, x, i) => sum + x * w[i], 0));
    const target = normalRows(random, 6, dim);
    const { counts } = await watchSolve(
      engine,
      new Anderson(engine, dim, 6),
      hostMap(engine, dim, 6, product),
      { target, start: target, tolerance: 1e-5 },
    );
    expect(counts.unconverged).toBe(0);
    expect(counts.evaluations).toBeLessThanOrEqual(dim + 2);
  }
});

/** Evaluations of both solvers on the same steep networks. */
async function total(options: AndersonOptions | null, dim: number): Promise<number> {
  let sum = 0;
  for (const seed of [1, 2, 3, 4]) {
    const { network } = smallNetwork(engine, { dim, seed, weightScale: 10, growth: 8, coeff: 0.97 });
    network.prepare();
    const views = network.views(network.workspace(16, 0), 16, 0);
    const map = { input: views.input, output: views.output, evaluate: () => network.evaluate(views) };
    const target = normalRows(testRandom(seed), 16, dim);
    const solver = options ? new Anderson(engine, dim, 16, options) : new FixedPoint(engine, dim, 16);
    const { counts } = await watchSolve(engine, solver, map, { target, start: target, tolerance: 1e-10 });
    expect(counts.unconverged).toBe(0);
    sum += counts.evaluations;
  }
  return sum;
}

it.each([1, 2, 8])(
  "needs fewer evaluations than the fixed point, and fewer with more memory, in %d-D",
  async (dim) => {
    const plain = await total(null, dim);
    const short = await total({ memory: 1 }, dim);
    const long = await total({}, dim);
    expect(short).toBeLessThan(plain);
    expect(long).toBeLessThan(0.7 * plain);
    if (dim > 1) expect(long).toBeLessThan(short);
    else expect(long).toBe(short);
  },
);

it("returns to the best point and takes the fixed point's step there when a residual grows", async () => {
  // Slopes of G are +-0.98 by turns, so that secants mislead.
  const WIDTH = 0.25;
  const staircase = ([w]: number[]) => {
    const step = Math.floor(w / WIDTH);
    const within = w - step * WIDTH;
    return [step % 2 === 0 ? -0.98 * within : 0.98 * (within - WIDTH)];
  };
  const target = [-1.9, -0.77, 0.003, 0.31, 0.52, 1.04, 1.49, 2.6].map((t) => [t]);
  const start = target.map(([t], i) => [i % 2 === 0 ? t + 3.3 : t - 2.9]);
  const solver = new Anderson(engine, 1, target.length);
  const { counts, taken, trace, residuals } = await watchSolve(
    engine,
    solver,
    hostMap(engine, 1, target.length, staircase),
    { target, start, tolerance: 1e-12 },
  );
  expect(counts.unconverged).toBe(0);
  let returns = 0;
  taken.forEach((count, s) => {
    let best = 0;
    for (let n = 1; n < count - 1; n++) {
      const size = (k: number) => Math.abs(residuals[k][s][0]);
      if (size(n) < size(best)) best = n;
      else {
        expectClose(trace[n + 1][s], [trace[best][s][0] - residuals[best][s][0]], 1e-15);
        expect(size(n + 1)).toBeLessThan(size(best));
        returns++;
      }
    }
  });
  expect(returns).toBeGreaterThan(3);
});

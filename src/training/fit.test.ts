import { describe, expect, it } from "vitest";
import { Flow } from "../flows/flow.js";
import { monotoneFlow } from "../flows/monotone-flow.js";
// Named otherwise: linters take `fit` for a test that shuts out the others.
import { fit as fitFlow } from "./fit.js";

const small = { blocks: 1, depth: 2, growth: 16, learnConcatenationFrom: 0 };
const grid = Array.from({ length: 101 }, (_, i) => -2 + i / 25);

describe("regression", () => {
  it("brings F(x) near its targets", async () => {
    const flow = await Flow.create(monotoneFlow({ dim: 1, ...small, actnorm: true }));
    const target = (x: number) => 3 + 2 * x + Math.sin(x);
    const pairs = grid.map((x) => [x, target(x)]);
    const loss = await fitFlow(flow, pairs, {
      objective: "regression",
      steps: 300,
      batch: 64,
      learningRate: 1e-2,
      schedule: [{ from: 200, factor: 0.1 }],
    });
    expect(loss).toBeLessThan(0.01);
    const { z } = await flow.forward(grid.map((x) => [x]));
    const errors = grid.map((x, i) => Math.abs(z.at(i, 0) - target(x)));
    expect(Math.max(...errors)).toBeLessThan(0.5);
  });

  it("refuses samples that are no pairs", async () => {
    const flow = await Flow.create(monotoneFlow({ dim: 2, ...small }));
    const training = fitFlow(flow, [[1, 2, 3]], { objective: "regression", steps: 1 });
    await expect(training).rejects.toThrow(/samples of 4 numbers, those of rows have 3/);
  });
});

it("makes samples likely by default, and refuses those of another dimension", async () => {
  const flow = await Flow.create(monotoneFlow({ dim: 1, ...small, actnorm: true }));
  const loss = await fitFlow(
    flow,
    grid.map((x) => [x]),
    { steps: 60, batch: 64, learningRate: 1e-2 },
  );
  // The entropy of these rows, spread evenly over [-2, 2], is about ln 4 = 1.39 nats.
  expect(loss).toBeLessThan(1.75);
  await expect(fitFlow(flow, [[1, 2]], { steps: 1 })).rejects.toThrow(
    /samples of 1 number, those of rows have 2/,
  );
});

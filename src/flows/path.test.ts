import { expect, it } from "vitest";
import { expectClose } from "../../test/support/close.js";
import { toySource } from "../data/source.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { type Formulation, monotoneFlow } from "./declaration.js";
import { Flow } from "./flow.js";
import { flowPath } from "./path.js";

const rows = toySource("moons").test(1, 23);

it.each(["monotone", "residual", "inverse-residual"] as const)(
  "ends where the flow's forward map does (%s)",
  async (formulation: Formulation) => {
    const declaration = monotoneFlow({
      dim: 2,
      blocks: 3,
      growth: 4,
      formulation,
      actnorm: true,
      standardisation: { mean: [1, -2], deviation: [2, 0.5] },
    });
    const flow = await Flow.create(declaration, { engine: new ReferenceEngine(), seed: 3, capacity: 10 });
    const { z, logDet } = await flow.forward(rows);
    const { points, logDets, evaluations } = await flowPath(flow, rows);
    expect(points).toHaveLength(7);
    expectClose(points[6].values, z.values, 1e-12);
    expectClose(
      points[0].values,
      rows.values.map((x, i) => (i % 2 === 0 ? (x - 1) / 2 : (x + 2) / 0.5)),
      1e-12,
    );
    // The standardisation's part stands before the chain.
    const total = logDet.map((_, i) => logDets.reduce((sum, each) => sum + each[i], 0));
    expectClose(
      total,
      logDet.map((value) => value + Math.log(2) + Math.log(0.5)),
      1e-9,
      "",
      1e-9,
    );
    expect(evaluations.map((n) => (formulation === "residual" ? n : Math.min(n, 2)))).toEqual(
      formulation === "residual" ? [1, 0, 1, 0, 1, 0] : [2, 0, 2, 0, 2, 0],
    );
  },
);

it("has nothing to say of no rows", async () => {
  const flow = await Flow.create(monotoneFlow({ dim: 2, blocks: 1, growth: 4 }), {
    engine: new ReferenceEngine(),
  });
  const { points, evaluations } = await flowPath(flow, []);
  expect(points.map((table) => table.rows)).toEqual([0, 0]);
  expect(evaluations).toEqual([0]);
});

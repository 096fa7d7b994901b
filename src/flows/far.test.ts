/** Far from all data a density is right or 0, the same on both engines, and never no number. */
import { expect, it } from "vitest";
import { farFromIdentity } from "../../test/support/flows.js";
import { testRandom } from "../../test/support/rows.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { Flow } from "./flow.js";
import { decodeFlow, encodeFlow } from "./model-encoding.js";
import { monotoneFlow } from "./monotone-flow.js";

const SIZES = [1e2, 1e4, 1e8, 1e12, 1e17, 1e18, 1e19, 1e25, 1e37, 1e39, 1e100, 1e300];
const rows = SIZES.flatMap(
  (v) =>
    [
      [v, 0],
      [-v, v],
      [0, -v],
    ] as [number, number][],
);

it.each(["normal", "student-t", "mixture"] as const)("of a flow on the base '%s'", async (kind) => {
  for (const formulation of ["monotone", "residual", "inverse-residual"] as const) {
    const standardisation = { mean: [1, 2], deviation: [2, 0.1] };
    const declaration = monotoneFlow({
      dim: 2,
      blocks: 2,
      depth: 2,
      growth: 8,
      formulation,
      actnorm: true,
      base: { kind },
      standardisation,
    });
    const flow = await farFromIdentity(await Flow.create(declaration), testRandom(3), { weights: 1 });
    const judge = await decodeFlow(encodeFlow(flow), { engine: new ReferenceEngine() });
    const [ours, judged] = [await flow.logProb(rows), await judge.logProb(rows)];
    const { z } = await flow.forward(rows);
    const right = await judge.forward(rows);
    rows.forEach((row, i) => {
      const where = `${formulation} at ${row}`;
      expect(ours[i], where).not.toBeNaN();
      if (judged[i] === Number.NEGATIVE_INFINITY) expect(ours[i], where).toBe(judged[i]);
      else expect(Math.abs(ours[i] / judged[i] - 1), where).toBeLessThan(1e-4);
      z.row(i).forEach((value, j) => {
        const scale = Math.max(...right.z.row(i).map(Math.abs));
        if (Number.isFinite(scale))
          expect(Math.abs(value - right.z.at(i, j)), where).toBeLessThan(1e-5 * scale);
      });
    });
  }
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cayleySlope, dragged, kept, knots, slopesOf } from "../../studio/pages/ideas/construction/graph.js";
import { viewOf } from "../../studio/pages/ideas/power/view.js";

const height = fc.double({ min: -2, max: 2, noNaN: true });
const heights = fc.array(height, { minLength: knots.length, maxLength: knots.length });
const bound = fc.double({ min: 0.05, max: 0.98, noNaN: true });
const steepest = (values: readonly number[]) => Math.max(...slopesOf(values).map(Math.abs));

describe("the dragged graph", () => {
  it("is kept Lipschitz, and unchanged where it is so already", () => {
    fc.assert(
      fc.property(heights, bound, (values, L) => {
        const graph = kept(values, L);
        expect(steepest(graph)).toBeLessThanOrEqual(L + 1e-9);
        kept(graph, L).forEach((h, i) => {
          expect(h).toBeCloseTo(graph[i], 12);
        });
      }),
    );
  });

  it("goes where it is dragged and stays Lipschitz", () => {
    fc.assert(
      fc.property(heights, bound, fc.nat(knots.length - 1), height, (values, L, knot, to) => {
        const graph = dragged(kept(values, L), L, knot, to);
        expect(graph[knot]).toBeCloseTo(to, 12);
        expect(steepest(graph)).toBeLessThanOrEqual(L + 1e-9);
      }),
    );
  });

  it("has the slope (1 - s)/(1 + s) after the turn", () => {
    const [[w0, g0], [w1, g1]] = [
      [0, 0],
      [1, -0.5],
    ];
    const slope = (w1 - g1 - (w0 - g0)) / (w1 + g1 - (w0 + g0));
    expect(cayleySlope(-0.5)).toBeCloseTo(slope, 12);
  });
});

it("shows 0, p, the target and the whole ball of monotone blocks", () => {
  const coordinate = fc.double({ min: -2, max: 2, noNaN: true });
  fc.assert(
    fc.property(coordinate, coordinate, fc.double({ min: 0.05, max: 0.9, noNaN: true }), (a, b, L) => {
      fc.pre(Math.hypot(a, b) >= 0.25);
      const { x, y } = viewOf(L, [a, b], [3 * b, -2 * a]);
      const far = (1 + L) / (1 - L);
      for (const [u, v] of [
        [0, 0],
        [a, b],
        [far * a, far * b],
        [3 * b, -2 * a],
      ]) {
        expect(u).toBeGreaterThan(x[0]);
        expect(u).toBeLessThan(x[1]);
        expect(v).toBeGreaterThan(y[0]);
        expect(v).toBeLessThan(y[1]);
      }
    }),
  );
});

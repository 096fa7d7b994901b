import { describe, expect, it } from "vitest";
import { crelu } from "../../activations/relu.js";
import { slopeLength } from "./activation-jets.js";
import { balls, distanceOutside, lipschitzNeeded, norm, type Point } from "./balls.js";
import { fixedPointGuesses, linearResidual } from "./linear-residual.js";
import { formulations } from "./lipschitz-map.js";
import { mirroredAndTurned, scaled } from "./turn.js";

describe("the balls of q", () => {
  const p: Point = [0.6, -1.1];
  const L = 0.7;

  it.each(formulations)("%s: an edge of the ball needs just L", (formulation) => {
    const { centre, radius } = balls[formulation](L);
    for (let angle = 0.1; angle < 6; angle += 0.5) {
      const at = (share: number): Point => [
        centre * p[0] + share * radius * norm(p) * Math.cos(angle),
        centre * p[1] + share * radius * norm(p) * Math.sin(angle),
      ];
      expect(lipschitzNeeded[formulation](p, at(1))).toBeCloseTo(L, 12);
      expect(lipschitzNeeded[formulation](p, at(0.9))).toBeLessThan(L);
      expect(distanceOutside(formulation, L, p, at(0.9))).toBe(0);
      expect(distanceOutside(formulation, L, p, at(1.5))).toBeCloseTo(0.5 * radius * norm(p), 12);
    }
  });
});

it("turns a graph to ((w + G)/2, (w - G)/2), and back", () => {
  const [x, y] = scaled(Math.SQRT1_2)(mirroredAndTurned(45)([1.3, -0.4]));
  expect(x).toBeCloseTo((1.3 - 0.4) / 2, 12);
  expect(y).toBeCloseTo((1.3 + 0.4) / 2, 12);
  const [w, g] = mirroredAndTurned(45)(scaled(Math.SQRT2)([x, y]));
  expect(w).toBeCloseTo(1.3, 12);
  expect(g).toBeCloseTo(-0.4, 12);
});

it("inverts x + 5x, where the fixed point iteration diverges and that of a contraction converges", () => {
  const { f, inverse } = linearResidual(5);
  expect(f(inverse(0.7))).toBeCloseTo(0.7, 12);
  expect(Math.abs(fixedPointGuesses(5, 1, 6)[6])).toBeGreaterThan(1e4);
  expect(fixedPointGuesses(-0.5, 1, 60)[60]).toBeCloseTo(2, 12);
});

it("measures the slope of both outputs together", () => {
  expect(slopeLength(crelu, -1.2)).toBe(1);
});

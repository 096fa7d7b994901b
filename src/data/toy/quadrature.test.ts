import { expect, it } from "vitest";
import { equalBreaks, gaussLegendre, panels, type Rule } from "./quadrature.js";

function integral(rule: Rule, f: (x: number) => number): number {
  return rule.nodes.reduce((sum, x, i) => sum + rule.weights[i] * f(x), 0);
}

it.each([1, 2, 5, 8, 20])("%i points integrate polynomials of degree below twice that", (order) => {
  const rule = gaussLegendre(order, 0, 2);
  for (let degree = 0; degree < 2 * order; degree++) {
    const exact = 2 ** (degree + 1) / (degree + 1);
    expect(Math.abs(integral(rule, (x) => x ** degree) / exact - 1)).toBeLessThan(1e-12);
  }
});

it("panels integrate a narrow peak", () => {
  const rule = panels(8, equalBreaks(-1, 2, 30));
  const peak = integral(rule, (x) => Math.exp(-0.5 * (x / 0.05) ** 2));
  expect(peak).toBeCloseTo(0.05 * Math.sqrt(2 * Math.PI), 8);
});

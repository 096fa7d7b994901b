import { expect, it } from "vitest";
import { neumannCoefficient, traceCoefficient } from "./series.js";

const terms = Array.from({ length: 200 }, (_, k) => k);

it.each([
  [1, 0],
  [0, 1],
  [-1, 1],
  [0.3, -2],
])("sums up to %d ln(1 + a) + %d ln(1 - a) and to its derivative", (plus, minus) => {
  for (const a of [0.66, -0.5, 0.1]) {
    const trace = terms.slice(1).reduce((sum, k) => sum + traceCoefficient(plus, minus, k) * a ** k, 0);
    expect(trace).toBeCloseTo(plus * Math.log1p(a) + minus * Math.log1p(-a), 13);
    const neumann = terms.reduce((sum, k) => sum + neumannCoefficient(plus, minus, k) * a ** k, 0);
    expect(neumann).toBeCloseTo(plus / (1 + a) - minus / (1 - a), 13);
  }
});

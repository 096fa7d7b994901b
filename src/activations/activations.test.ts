import { describe, expect, it } from "vitest";
import { numbers } from "../engine/pointwise.js";
import { activations } from "./index.js";

const STEP = 1e-5;

describe.each(activations.map((a) => [a.name, a] as const))("%s", (_, activation) => {
  const parameter = activation.learned?.link(activation.learned.initial) ?? 0;
  const jets = (x: number, p = parameter) => activation.jets(numbers, x, p);
  // Away from 0, where CReLU, ReLU and ELU have kinks, and with points beyond where exponentials overflow.
  const points = Array.from({ length: 400 }, (_, i) => (i - 200) / 25 + 0.013).concat([-300, -40, 40, 300]);

  it("has the derivatives that finite differences give", () => {
    for (const x of points) {
      const [below, here, above] = [x - STEP, x, x + STEP].map((at) => jets(at));
      here.forEach((jet, i) => {
        expect(jet.first).toBeCloseTo((above[i].value - below[i].value) / (2 * STEP), 5);
        expect(jet.second).toBeCloseTo((above[i].first - below[i].first) / (2 * STEP), 5);
        if (jet.byParameter) {
          const less = jets(x, parameter - STEP)[i];
          const more = jets(x, parameter + STEP)[i];
          expect(jet.byParameter.value).toBeCloseTo((more.value - less.value) / (2 * STEP), 5);
          expect(jet.byParameter.first).toBeCloseTo((more.first - less.first) / (2 * STEP), 5);
        }
      });
    }
  });

  it("is Lipschitz with its constant as a map into all its outputs, and nearly reaches it", () => {
    const slopes = Array.from({ length: 40001 }, (_, i) =>
      Math.hypot(...jets((i - 20000) / 2000).map((j) => j.first)),
    );
    const largest = Math.max(...slopes);
    expect(largest).toBeLessThanOrEqual(activation.lipschitz + 1e-12);
    expect(largest).toBeGreaterThan(0.98 * activation.lipschitz);
  });

  it("learns through a link whose derivative finite differences confirm", () => {
    const { learned } = activation;
    if (!learned) return;
    for (const raw of [-3, 0, 0.5, 4]) {
      const slope = (learned.link(raw + STEP) - learned.link(raw - STEP)) / (2 * STEP);
      expect(learned.linkDerivative(raw)).toBeCloseTo(slope, 6);
    }
  });
});

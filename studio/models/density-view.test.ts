import { expect, it } from "vitest";
import { DensityView } from "./density-view.js";
import { PARTS, RESOLUTION, STRIDE } from "./messages.js";

const SIDE = RESOLUTION / STRIDE;
/** What the worker sends of a function of the pixel's column and row. */
const part = (index: number, f: (x: number, y: number) => number) => {
  const [left, bottom] = PARTS[index];
  return Float64Array.from({ length: SIDE * SIDE }, (_, i) =>
    f(left + (i % SIDE) * STRIDE, bottom + Math.floor(i / SIDE) * STRIDE),
  );
};
const advanceToEnd = (view: DensityView) => {
  for (let frame = 0; view.advance(100); frame++) expect(frame).toBeLessThan(50);
};
const smooth = (x: number, y: number) => 1 + Math.sin(x / 9) * Math.cos(y / 7);

it("has every pixel in one part", () => {
  const pixels = PARTS.map(([column, row]) => row * STRIDE + column);
  expect([...pixels].sort((a, b) => a - b)).toEqual(Array.from({ length: STRIDE ** 2 }, (_, i) => i));
});

it("shows a whole picture after the first part, and the exact one after all", () => {
  const view = new DensityView();
  view.put(1, 0, part(0, smooth));
  advanceToEnd(view);
  for (let y = 4; y < RESOLUTION - 4; y += 3) {
    for (let x = 4; x < RESOLUTION - 4; x += 3) {
      expect(Math.abs(view.shown[y * RESOLUTION + x] - smooth(x, y))).toBeLessThan(0.12);
    }
  }
  for (let i = 1; i < PARTS.length; i++) view.put(1, i, part(i, smooth));
  advanceToEnd(view);
  view.shown.forEach((value, i) => {
    expect(value).toBeCloseTo(smooth(i % RESOLUTION, Math.floor(i / RESOLUTION)), 2);
  });
});

it("forgets what a model that diverged has sent", () => {
  const view = new DensityView();
  PARTS.forEach((_, i) => {
    view.put(
      1,
      i,
      part(i, (x) => (x % 3 === 0 ? Number.NaN : x % 3 === 1 ? Number.POSITIVE_INFINITY : 1e35)),
    );
  });
  advanceToEnd(view);
  PARTS.forEach((_, i) => {
    view.put(2, i, part(i, smooth));
  });
  advanceToEnd(view);
  expect(view.most).toBeCloseTo(2, 1);
  view.shown.forEach((value, i) => {
    expect(value).toBeCloseTo(smooth(i % RESOLUTION, Math.floor(i / RESOLUTION)), 2);
  });
});

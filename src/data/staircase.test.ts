import { expect, it } from "vitest";
import { staircase, staircaseSlope, staircaseSource } from "./staircase.js";

it("climbs one unit a unit, on treads of slope 1/20 and risers of slope 20", () => {
  for (const x of [-2, -1, 0, 1, 2]) expect(staircase(x)).toBeCloseTo(x + 2, 12);
  expect(staircase(0.5)).toBeCloseTo(2 + 0.5 / 20, 12);
  expect(staircase(0.99)).toBeCloseTo(3 - 0.01 * 20, 12);
  // Where tread and riser meet.
  const edge = 1 / 1.05;
  expect(staircase(edge)).toBeCloseTo(2 + 0.05 * edge, 12);
});

it("has the slopes that its differences show", () => {
  for (let i = 0; i < 4000; i++) {
    const x = -2 + (i + 0.37) / 1000;
    const slope = (staircase(x + 1e-7) - staircase(x - 1e-7)) / 2e-7;
    expect(staircaseSlope(x)).toBeCloseTo(slope, 5);
  }
});

it("draws pairs on [-2, 2] that depend on seed, step and sample alone", () => {
  const [whole, part] = [new Float64Array(2 * 1000), new Float64Array(2 * 300)];
  staircaseSource.fill(whole, 3, 7, 0, 1000);
  staircaseSource.fill(part, 3, 7, 700, 300);
  expect(part).toEqual(whole.slice(1400));
  const x = Array.from({ length: 1000 }, (_, i) => whole[2 * i]);
  x.forEach((value, i) => {
    expect(whole[2 * i + 1]).toBe(staircase(value));
  });
  expect(Math.min(...x)).toBeGreaterThan(-2);
  expect(Math.min(...x)).toBeLessThan(-1.97);
  expect(Math.max(...x)).toBeLessThan(2);
  expect(Math.max(...x)).toBeGreaterThan(1.97);
  staircaseSource.fill(part, 3, 8, 700, 300);
  expect(part).not.toEqual(whole.slice(1400));
  expect(staircaseSource.test(3, 5).values).not.toEqual(whole.slice(0, 10));
});

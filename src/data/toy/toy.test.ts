import { describe, expect, it } from "vitest";
import { FlowError } from "../../errors.js";
import { Purpose, Random } from "../../model/random.js";
import { type ToyDensity, toyDensities, toyDensity } from "./index.js";

/** The published floors of the test loss (by quadrature, standard error below 0.007). */
const PUBLISHED: Readonly<Record<string, number>> = {
  "2spirals": 2.642,
  "8gaussians": 2.827,
  checkerboard: 3.466,
  circles: 3.266,
  moons: 2.402,
  pinwheel: 2.319,
  rings: 2.617,
  swissroll: 2.667,
};

/** A grid over [-5, 5]^2, whose points are the middles of squares of side STEP. */
const HALF = 5;
const STEP = 0.05;
const POINTS = (2 * HALF) / STEP;

/** Cells of the histograms along each side, each of 10 x 10 points. */
const CELLS = 20;

const DRAWS = 20_000;

/** Integral of p, integral of -p log p, and the probabilities of the histogram's cells. */
function integrate(density: ToyDensity) {
  let mass = 0;
  let entropy = 0;
  const cells = new Float64Array(CELLS * CELLS);
  for (let i = 0; i < POINTS; i++) {
    for (let j = 0; j < POINTS; j++) {
      const logDensity = density.logDensity(-HALF + (i + 0.5) * STEP, -HALF + (j + 0.5) * STEP);
      if (logDensity === Number.NEGATIVE_INFINITY) continue;
      const p = Math.exp(logDensity) * STEP * STEP;
      mass += p;
      entropy -= p * logDensity;
      cells[Math.floor((i * CELLS) / POINTS) * CELLS + Math.floor((j * CELLS) / POINTS)] += p;
    }
  }
  return { mass, entropy, cells };
}

function draw(density: ToyDensity): Float64Array {
  const random = new Random(1, Purpose.testing);
  const points = new Float64Array(2 * DRAWS);
  for (let i = 0; i < DRAWS; i++) density.sample(random.seek(0, i), points, 2 * i);
  return points;
}

/**
 * By how many standard deviations Pearson's statistic exceeds its mean. Cells that expect fewer than 5 points
 * count as one, together with what lies outside the grid.
 */
function misfit(cells: Float64Array, points: Float64Array): number {
  const observed = new Float64Array(cells.length);
  for (let i = 0; i < points.length; i += 2) {
    const column = Math.floor(((points[i] + HALF) * CELLS) / (2 * HALF));
    const row = Math.floor(((points[i + 1] + HALF) * CELLS) / (2 * HALF));
    const inside = column >= 0 && column < CELLS && row >= 0 && row < CELLS;
    if (inside) observed[column * CELLS + row]++;
  }
  let statistic = 0;
  let freedom = 0;
  let restExpected = DRAWS;
  let restObserved = DRAWS;
  cells.forEach((p, i) => {
    const expected = p * DRAWS;
    if (expected < 5) return;
    statistic += (observed[i] - expected) ** 2 / expected;
    freedom++;
    restExpected -= expected;
    restObserved -= observed[i];
  });
  statistic += (restObserved - restExpected) ** 2 / Math.max(restExpected, 1);
  return (statistic - freedom) / Math.sqrt(2 * freedom);
}

describe.each(toyDensities.map((density) => ({ name: density.name, density })))(
  "$name",
  ({ name, density }) => {
    const { mass, entropy, cells } = integrate(density);
    const points = draw(density);

    it("has a density that integrates to 1 and the stated entropy", () => {
      expect(Math.abs(mass - 1)).toBeLessThan(1e-5);
      expect(Math.abs(entropy - density.entropy)).toBeLessThan(1e-4);
      expect(Math.abs(density.entropy - PUBLISHED[name])).toBeLessThan(0.01);
    });

    it("is sampled with that density", () => {
      const losses = Float64Array.from({ length: DRAWS }, (_, i) => {
        return -density.logDensity(points[2 * i], points[2 * i + 1]);
      });
      const mean = losses.reduce((sum, loss) => sum + loss, 0) / DRAWS;
      const variance = losses.reduce((sum, loss) => sum + (loss - mean) ** 2, 0) / DRAWS;
      expect(Math.abs(mean - density.entropy)).toBeLessThan(4 * Math.sqrt(variance / DRAWS) + 1e-9);
      expect(misfit(cells, points)).toBeLessThan(4);
      // The check sees a shift by a tenth.
      expect(
        misfit(
          cells,
          points.map((x) => x + 0.1),
        ),
      ).toBeGreaterThan(20);
    });

    it("lies in its square", () => {
      const [xmin, xmax, ymin, ymax] = density.extent;
      expect(xmax - xmin).toBe(ymax - ymin);
      let inside = 0;
      for (let i = 0; i < points.length; i += 2) {
        const [x, y] = points.subarray(i, i + 2);
        if (x >= xmin && x <= xmax && y >= ymin && y <= ymax) inside++;
      }
      expect(inside / DRAWS).toBeGreaterThan(0.999);
    });

    it("has no density at infinity and no NaN far away", () => {
      expect(density.logDensity(Number.POSITIVE_INFINITY, 0)).toBe(Number.NEGATIVE_INFINITY);
      expect(density.logDensity(40, -1e3)).toBeLessThan(-1e3);
    });
  },
);

describe("the pictures stand upright", () => {
  // A point of the formula, and one beside it that a turned or mirrored picture would hold.
  it.each([
    { name: "2spirals", on: [2.12, 2.12], off: [2.12, -2.12] },
    { name: "8gaussians", on: [2.83, 0], off: [2.61, 1.08] },
    { name: "checkerboard", on: [1, 1], off: [-1, 1] },
    { name: "circles", on: [0, 3], off: [0, 2.2] },
    { name: "moons", on: [-1, 1.8], off: [1, 1.8] },
    { name: "pinwheel", on: [1.48, 2.38], off: [1.48, -2.38] },
    { name: "rings", on: [0, 2.25], off: [0, 2.6] },
    { name: "swissroll", on: [0, -2.2], off: [0, 2.2] },
  ])("$name", ({ name, on, off }) => {
    const density = toyDensity(name);
    expect(density.logDensity(on[0], on[1])).toBeGreaterThan(density.logDensity(off[0], off[1]) + 2);
  });
});

describe("toyDensity", () => {
  it("suggests the nearest name", () => {
    expect(() => toyDensity("2spiral")).toThrow(
      /no data set "2spiral" \(did you mean "2spirals"\?\); .*swissroll/,
    );
    expect(() => toyDensity("qqqqqqqqqq")).toThrow(/no data set "qqqqqqqqqq"; known/);
    expect(() => toyDensity("")).toThrow(FlowError);
  });
});

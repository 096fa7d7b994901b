import { describe, expect, it } from "vitest";
import { boundedRoulette, ROULETTE_TOLERANCE } from "./bounded-roulette.js";
import type { Estimator } from "./estimator.js";
import { FRESH, type PassKey, Probes } from "./probes.js";
import { weights } from "./roulette.js";

const ESTIMATOR: Estimator = {
  law: "poisson",
  rate: 2,
  exactTerms: 3,
  exactTermsInEvaluation: 17,
  probe: "normal",
  probes: 2,
  tolerance: 1e-5,
};
const BLOCKS = 4;
const DIM = 6;
/** That of a monotone block. */
const series = () => ({ lipschitz: 0.9, plus: -1, minus: 1 });
const TRAINING: PassKey = { seed: 1, step: 5, first: 0, training: true };

/** The probes of that many blocks in a pass. */
const begun = (pass: PassKey, estimator: Estimator = ESTIMATOR) => {
  const probes = new Probes(estimator);
  for (let block = 0; block < BLOCKS; block++) expect(probes.enrol()).toBe(block);
  return {
    terms: (block: number, of = series) => probes.terms(block, DIM, pass, of),
    fill: (out: Float64Array, dim: number, samples: number, block: number, probe: number) =>
      probes.fill(out, dim, samples, block, probe, pass),
  };
};

/** [dimension][sample]. */
function filled(
  probes: ReturnType<typeof begun>,
  { dim = 5, samples = 3, block = 1, probe = 0 } = {},
): Float64Array {
  const out = new Float64Array(dim * samples);
  probes.fill(out, dim, samples, block, probe);
  return out;
}

describe("terms", () => {
  it("has the exact terms of training, and more by chance", () => {
    const [pass, exact] = [TRAINING, 3];
    const counts = Array.from({ length: 200 }, (_, seed) => {
      const { count, weights: own } = begun({ ...pass, seed }).terms(1);
      expect(own.length).toBe(count + 1);
      expect(Array.from(own.subarray(0, exact + 1)), "weights of exact terms").toEqual(
        Array(exact + 1).fill(1),
      );
      return count;
    });
    expect(Math.min(...counts), "the smallest number of terms").toBe(exact);
    const long = begun({ ...pass, seed: counts.indexOf(Math.max(...counts)) }).terms(1);
    expect(long.weights, "weights of the others").toEqual(
      weights({ law: "poisson", rate: 2, exact }, long.count),
    );
    expect(Math.max(...long.weights)).toBeGreaterThan(2);
    const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
    expect(Math.abs(mean - exact - 2), "terms by chance, 2 on average").toBeLessThan(5 * Math.sqrt(2 / 200));
  });

  it("has at least the exact terms of evaluation elsewhere, and a law that bounds the deviation", () => {
    for (const [lipschitz, probe] of [
      [0.3, "normal"],
      [0.9, "normal"],
      [0.9, "rademacher"],
    ] as const) {
      const scatter = probe === "normal" ? Math.sqrt(1 + 2 / DIM) : 1;
      const tolerance = ROULETTE_TOLERANCE / Math.sqrt(BLOCKS) / scatter;
      const roulette = boundedRoulette({ ...series(), lipschitz }, tolerance, 17);
      const counts = Array.from({ length: 100 }, (_, seed) => {
        const probes = begun({ ...FRESH, seed }, { ...ESTIMATOR, probe });
        const { count, weights: own } = probes.terms(1, () => ({ ...series(), lipschitz }));
        expect(own).toEqual(weights(roulette, count));
        return count;
      });
      // The first term beyond the exact ones is there as well.
      expect(Math.min(...counts)).toBe(roulette.exact + 1);
      expect(Math.max(...counts)).toBeGreaterThan(roulette.exact + 1);
    }
    // Where nothing is certified there is the law of the declaration.
    const { count, weights: own } = begun(FRESH).terms(1, () => ({ ...series(), lipschitz: 1 }));
    expect(own).toEqual(weights({ law: "poisson", rate: 2, exact: 17 }, count));
  });

  /** Whether another key gives other numbers of terms. */
  const same = (a: (n: number) => number, b: (n: number) => number) =>
    Array.from({ length: 40 }, (_, n) => a(n) === b(n)).every((equal) => equal);

  it("draws them anew for every step, block and seed, and for all samples of a step at once", () => {
    const count = (pass: Partial<PassKey>, block = 1) => begun({ ...TRAINING, ...pass }).terms(block).count;
    expect(
      same(
        (step) => count({ step }),
        () => count({}),
      ),
      "step",
    ).toBe(false);
    expect(
      same(
        (seed) => count({ seed }),
        () => count({}),
      ),
      "seed",
    ).toBe(false);
    expect(
      same(
        (step) => count({ step }, 2),
        (step) => count({ step }, 1),
      ),
      "block",
    ).toBe(false);
    expect(
      same(
        (first) => count({ first }),
        () => count({}),
      ),
      "first sample of a step",
    ).toBe(true);
    expect(
      same(
        (first) => count({ first, training: false }),
        () => count({ training: false }),
      ),
      "first row",
    ).toBe(false);
  });
});

describe.each(["rademacher", "normal"] as const)("%s probes", (probe) => {
  const estimator = { ...ESTIMATOR, probe };

  it("are others for every seed, step, block, probe and sample", () => {
    const own = filled(begun(TRAINING, estimator), { dim: 40 });
    for (const [what, other] of [
      ["seed", filled(begun({ ...TRAINING, seed: 2 }, estimator), { dim: 40 })],
      ["step", filled(begun({ ...TRAINING, step: 6 }, estimator), { dim: 40 })],
      ["first sample", filled(begun({ ...TRAINING, first: 3 }, estimator), { dim: 40 })],
      ["block", filled(begun(TRAINING, estimator), { dim: 40, block: 2 })],
      ["probe", filled(begun(TRAINING, estimator), { dim: 40, probe: 1 })],
    ] as const) {
      expect(other, what).not.toEqual(own);
    }
    const sample = (s: number) => own.filter((_, i) => i % 3 === s);
    expect(sample(1), "sample").not.toEqual(sample(0));
    // Nothing is shared between the last block of a step and the first one of the next.
    const last = filled(begun(TRAINING, estimator), { dim: 40, block: BLOCKS - 1, probe: 1 });
    const next = filled(begun({ ...TRAINING, step: 6 }, estimator), { dim: 40, block: 0, probe: 0 });
    expect(next, "next step").not.toEqual(last);
  });

  it("belong to a sample, however a batch is cut", () => {
    const whole = filled(begun(TRAINING, estimator), { samples: 5 });
    const part = filled(begun({ ...TRAINING, first: 3 }, estimator), { samples: 2 });
    expect(part).toEqual(whole.filter((_, i) => i % 5 >= 3));
  });

  // Means over so many samples, at 4.5 standard errors; the seed is fixed.
  it("have mean 0 and E[v v^T] = I, in each of the words that signs are taken from", () => {
    const [dim, samples] = [70, 1500];
    const v = filled(begun(TRAINING, estimator), { dim, samples });
    const row = (i: number) => v.subarray(i * samples, (i + 1) * samples);
    const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, x) => sum + x, 0) / samples;
    const product = (i: number, j: number) => row(i).map((x, s) => x * row(j)[s]);
    for (const i of [0, 1, 31, 32, 33, 64, 69]) {
      expect(Math.abs(mean(row(i))), `mean of number ${i}`).toBeLessThan(4.5 / Math.sqrt(samples));
      if (probe === "rademacher") expect(new Set(row(i))).toEqual(new Set([-1, 1]));
      const spread = probe === "rademacher" ? 0 : Math.SQRT2;
      expect(Math.abs(mean(product(i, i)) - 1), `square of number ${i}`).toBeLessThanOrEqual(
        (4.5 * spread) / Math.sqrt(samples),
      );
      for (const j of [0, 1, 31, 32, 33, 64, 69]) {
        if (j === i) continue;
        expect(Math.abs(mean(product(i, j))), `numbers ${i} and ${j}`).toBeLessThan(4.5 / Math.sqrt(samples));
      }
    }
  });
});

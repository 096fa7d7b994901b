import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formulations, type Kind, kinds, Probe } from "../../test/support/bijections.js";
import { expectClose } from "../../test/support/close.js";
import { expectGradients, numericalGradient } from "../../test/support/finite-differences.js";
import { seeded } from "../../test/support/property.js";
import { add, dot, norm, normalRows, type Rows, subtract, testRandom } from "../../test/support/rows.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { factorise } from "../linear-algebra.js";
import { Parameters } from "../model/parameters.js";
import { Actnorm } from "./actnorm.js";

const engine = new ReferenceEngine();
const DIMENSIONS = [1, 2, 3, 5];

/** Networks whose spectral norms have reached their limits. */
const network = (dim: number, seed: number, activation = "CPila") => ({
  dim,
  seed,
  activation,
  weightScale: 2,
});

describe.each(kinds)("%s", (kind) => {
  const setups = DIMENSIONS.flatMap((dim) =>
    (kind === "actnorm" ? ["CPila"] : ["CPila", "CLipSwish"]).map((activation) => ({ dim, activation })),
  );

  it.each(setups)(
    "has the gradients of finite differences in $dim-D, $activation",
    async ({ dim, activation }) => {
      const probe = new Probe(engine, kind, network(dim, 21, activation));
      const random = testRandom(22);
      const count = 3;
      const x = Float64Array.from({ length: count * dim }, () => random.normal());
      const samples = () => Array.from({ length: count }, (_, i) => [...x.subarray(i * dim, (i + 1) * dim)]);
      const yBar = normalRows(random, count, dim);
      const logDetBar = normalRows(random, 1, count)[0];
      const scalar = async () => {
        probe.bijection.prepare();
        const { out, logDet } = await probe.forward(samples());
        return dot(out.flat(), yBar.flat()) + dot(logDet, logDetBar);
      };

      await scalar();
      const xBar = await probe.backward(yBar, logDetBar);
      expectClose(xBar.flat(), await numericalGradient(scalar, x), 1e-7, "gradient of x");
      await expectGradients(probe.parameters.list, scalar);
    },
  );

  it.each(DIMENSIONS)("has the log-determinant of the numerical Jacobian in %d-D", async (dim) => {
    const probe = new Probe(engine, kind, network(dim, 23));
    const x = normalRows(testRandom(24), 8, dim, 0.7);
    const { logDet } = await probe.forward(x);
    const shifted = (k: number, by: number) => x.map((row) => row.map((v, j) => (j === k ? v + by : v)));
    const columns: Rows[] = [];
    for (let k = 0; k < dim; k++) {
      const above = (await probe.forward(shifted(k, 1e-5))).out;
      const below = (await probe.forward(shifted(k, -1e-5))).out;
      columns.push(above.map((row, s) => subtract(row, below[s]).map((difference) => difference / 2e-5)));
    }
    // A matrix and its transpose have one determinant, so columns may stand for rows.
    const expected = x.map(
      (_, s) => factorise(Float64Array.from(columns.flatMap((column) => column[s]))).logDet,
    );
    expectClose(logDet, expected, 1e-8);
  });

  it.each(DIMENSIONS)("is undone by its inverse, and undoes it, in %d-D", async (dim) => {
    const probe = new Probe(engine, kind, network(dim, 25));
    const x = normalRows(testRandom(26), 12, dim, 3);
    for (const [there, back] of [
      ["forward", "inverse"],
      ["inverse", "forward"],
    ] as const) {
      const { out, logDet } = await probe[there](x);
      const returned = await probe[back](out);
      expectClose(returned.out.flat(), x.flat(), 1e-13);
      expectClose(
        returned.logDet,
        logDet.map((l) => -l),
        1e-12,
      );
    }
    expect(probe.bijection.counts?.unconverged ?? 0).toBe(0);
  });
});

/** Differences p = x1 - x2 and q = F(x1) - F(x2) over pairs of random samples of a random block. */
async function differences(kind: Kind, options: { dim: number; seed: number; spread: number }) {
  const probe = new Probe(engine, kind, options, 14);
  const x = normalRows(testRandom(options.seed + 1), 14, options.dim, options.spread);
  const { out } = await probe.forward(x);
  const pairs = x.flatMap((a, i) => x.slice(0, i).map((b, j) => [subtract(a, b), subtract(out[i], out[j])]));
  return { lipschitz: probe.lipschitz, pairs };
}

const blocks = (dimensions: number[]) =>
  fc.record({
    dim: fc.constantFrom(...dimensions),
    seed: fc.nat(1_000_000),
    spread: fc.constantFrom(1e-2, 1, 10),
    weightScale: fc.double({ min: 0.1, max: 20, noNaN: true }),
    coeff: fc.constantFrom(0.5, 0.9, 0.99),
    activation: fc.constantFrom("CPila", "CLipSwish", "CReLU", "ELU", "tanh"),
  });

/** Rounding, and what the solvers leave. */
const SLACK = 1e-12;

/** [left, right] of the inequality that confines q, given p and L (math.md, "Theory to show"). */
const regions: Record<
  (typeof formulations)[number],
  (p: number[], q: number[], lipschitz: number) => [number, number]
> = {
  residual: (p, q, l) => [norm(subtract(q, p)), l * norm(p)],
  "inverse-residual": (p, q, l) => [norm(subtract(p, q)), l * norm(q)],
  monotone: (p, q, l) => [norm(subtract(p, q)), l * norm(add(p, q))],
};

/** The slopes that the same inequality leaves in one dimension. */
const slopes: Record<(typeof formulations)[number], (lipschitz: number) => [number, number]> = {
  residual: (l) => [1 - l, 1 + l],
  "inverse-residual": (l) => [1 / (1 + l), 1 / (1 - l)],
  monotone: (l) => [(1 - l) / (1 + l), (1 + l) / (1 - l)],
};

describe.each(formulations)("%s, for any weights and samples", (kind) => {
  it("is strongly monotone, and its differences stay in the block's region", async () => {
    await fc.assert(
      fc.asyncProperty(blocks(DIMENSIONS), async (options) => {
        const { lipschitz, pairs } = await differences(kind, options);
        expect(lipschitz).toBeLessThan(1);
        for (const [p, q] of pairs) {
          const slack = SLACK * (1 + norm(p) + norm(q));
          const [left, right] = regions[kind](p, q, lipschitz);
          expect(left).toBeLessThanOrEqual(right + slack);
          const [least] = slopes[kind](lipschitz);
          expect(dot(p, q)).toBeGreaterThan(0);
          expect(dot(p, q)).toBeGreaterThanOrEqual(least * dot(p, p) - slack * norm(p));
        }
      }),
      seeded(30),
    );
  });

  it("has slopes within the block's bounds in one dimension", async () => {
    await fc.assert(
      fc.asyncProperty(blocks([1]), async (options) => {
        const { lipschitz, pairs } = await differences(kind, options);
        const [least, most] = slopes[kind](lipschitz);
        for (const [[p], [q]] of pairs) {
          const slack = SLACK * (1 + 1 / Math.abs(p));
          expect(q / p).toBeGreaterThanOrEqual(least - slack);
          expect(q / p).toBeLessThanOrEqual(most + slack);
        }
      }),
      seeded(30),
    );
  });
});

describe("actnorm", () => {
  it("starts from a batch's mean and variance so that the output has mean 0 and variance 1", async () => {
    const probe = new Probe(engine, "actnorm", { dim: 2 });
    const x = normalRows(testRandom(28), 16, 2).map(([a, b]) => [3 + 2 * a, 0.1 * b - 1]);
    const mean = [0, 1].map((j) => x.reduce((sum, row) => sum + row[j] / 16, 0));
    const variance = [0, 1].map((j) => x.reduce((sum, row) => sum + (row[j] - mean[j]) ** 2 / 16, 0));
    const actnorm = probe.bijection as Actnorm;
    expect(actnorm.started.values[0]).toBe(0);
    actnorm.initialise(mean, variance, 16);
    expect(actnorm.started.values[0]).toBe(1);
    const { out } = await probe.forward(x);
    for (const j of [0, 1]) {
      expect(out.reduce((sum, row) => sum + row[j] / 16, 0)).toBeCloseTo(0, 12);
      expect(out.reduce((sum, row) => sum + row[j] ** 2 / 16, 0)).toBeCloseTo(1, 4);
    }
  });

  it("starts from no variance below its floor, and from that of a sample", () => {
    const parameters = new Parameters();
    const actnorm = new Actnorm(engine, parameters, "a", 2, 4, 0.2);
    parameters.seal();
    actnorm.initialise([1, -1], [0.01, 3], 2);
    // 2 samples of 4 places: a mean squared deviation times 8/7 is the variance of a sample.
    expectClose(actnorm.logScale.values, [-0.5 * Math.log(0.2), -0.5 * Math.log((3 * 8) / 7)], 1e-14);
    expectClose(actnorm.shift.values, [-1, 1], 1e-14);
  });
});

describe("a monotone block with a scale", () => {
  const SCALE = Math.SQRT2;
  const options = { dim: 2, seed: 33, activation: "CLipSwish", weightScale: 2 };
  const x = normalRows(testRandom(34), 3, 2);

  it("is s F(x / s), with the log-determinant of F there", async () => {
    const [plain, scaled] = [1, SCALE].map((scale) => new Probe(engine, "monotone", { ...options, scale }));
    const expected = await plain.forward(x.map((row) => row.map((v) => v / SCALE)));
    const { out, logDet } = await scaled.forward(x);
    expectClose(
      out.flat(),
      expected.out.flat().map((v) => SCALE * v),
      1e-12,
    );
    expectClose(logDet, expected.logDet, 1e-12);
    const back = await scaled.inverse(out);
    expectClose(back.out.flat(), x.flat(), 1e-12);
    expectClose(
      back.logDet,
      logDet.map((l) => -l),
      1e-12,
    );
  });

  it("has the gradients of finite differences", async () => {
    const probe = new Probe(engine, "monotone", { ...options, scale: SCALE });
    const random = testRandom(35);
    const points = Float64Array.from(x.flat());
    const samples = () => [0, 1, 2].map((i) => [...points.subarray(2 * i, 2 * i + 2)]);
    const yBar = normalRows(random, 3, 2);
    const logDetBar = normalRows(random, 1, 3)[0];
    const scalar = async () => {
      probe.bijection.prepare();
      const { out, logDet } = await probe.forward(samples());
      return dot(out.flat(), yBar.flat()) + dot(logDet, logDetBar);
    };
    await scalar();
    const xBar = await probe.backward(yBar, logDetBar);
    expectClose(xBar.flat(), await numericalGradient(scalar, points), 1e-7, "gradient of x");
    await expectGradients(probe.parameters.list, scalar);
  });
});

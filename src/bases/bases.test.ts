import { describe, expect, it } from "vitest";
import { expectClose } from "../../test/support/close.js";
import { expectGradients, numericalGradient } from "../../test/support/finite-differences.js";
import { download, normalRows, testRandom, upload } from "../../test/support/rows.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { Flow } from "../flows/flow.js";
import { monotoneFlow } from "../flows/monotone-flow.js";
import { collectGradient } from "../model/gradients.js";
import { Parameters } from "../model/parameters.js";
import { fit as train } from "../training/fit.js";
import { digamma, drawGamma, logGamma } from "./gamma.js";
import { type BaseDeclaration, baseNames, baseSchema, learnedNumbers, makeBase } from "./index.js";

const engine = new ReferenceEngine();
const CAPACITY = 4000;

/** One of each, its parameters moved away from where they start. */
const declarations: BaseDeclaration[] = [
  { kind: "normal" },
  { kind: "student-t", degrees: 5 },
  { kind: "mixture", components: 3 },
];

function made(declaration: BaseDeclaration, dim: number) {
  const parameters = new Parameters();
  const random = testRandom(11);
  const site = { engine, parameters, dim, capacity: CAPACITY, random: testRandom(12) };
  const base = makeBase(declaration, site);
  parameters.seal();
  parameters.values.set(parameters.values.map((value) => value + 0.4 * random.normal()));
  base.prepare();
  const logDensity = async (rows: number[][]) => {
    const sums = upload(
      engine,
      rows.map(() => [0]),
    );
    await base.addLogDensity(sums, upload(engine, rows));
    return (await download(engine, sums, rows.length)).flat();
  };
  return { parameters, base, logDensity };
}

it("has a test of every kind", () => {
  expect(declarations.map(({ kind }) => kind)).toEqual(baseNames);
});

it.each(baseNames)("the %s learns as many numbers as it says, in any number of dimensions", (kind) => {
  for (const declaration of [{ kind }, declarations.find((one) => one.kind === kind) ?? { kind }]) {
    for (const dim of [1, 3]) {
      expect(made(declaration, dim).parameters.values.length).toBe(learnedNumbers(declaration, dim));
    }
  }
});

it("takes 8 normals and 10 degrees of freedom by default, and refuses what no base can have", () => {
  const first = (declaration: BaseDeclaration) => {
    const parameters = new Parameters();
    makeBase(declaration, { engine, parameters, dim: 1, capacity: 4, random: testRandom(1) });
    parameters.seal();
    return parameters.values;
  };
  expect(first({ kind: "mixture" })).toHaveLength(8 * 3);
  expect(first({ kind: "student-t" })[0]).toBeCloseTo(Math.log(10), 14);
  const takes = (declaration: object) => baseSchema.safeParse(declaration).success;
  const most = 1024;
  expect([0, 1, 1.5, most, most + 1].map((components) => takes({ kind: "mixture", components }))).toEqual([
    false,
    true,
    false,
    true,
    false,
  ]);
  expect([-1, 0, 0.5, 1e6, 1.1e6].map((degrees) => takes({ kind: "student-t", degrees }))).toEqual([
    false,
    false,
    true,
    true,
    false,
  ]);
});

it("has the density 0 where all normals of a mixture vanish", async () => {
  expect(await made({ kind: "mixture" }, 1).logDensity([[1e200], [-1e200]])).toEqual([
    Number.NEGATIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ]);
});

describe.each(declarations)("the $kind", (declaration) => {
  it("has the gradients of finite differences; samples with the cotangent 0 count for nothing", async () => {
    const dim = 3;
    const { parameters, base, logDensity } = made(declaration, dim);
    const z = Float64Array.from(normalRows(testRandom(3), 4, dim, 2).flat());
    const bars = [0.5, -1, 0, 2];
    const rows = () => Array.from({ length: 4 }, (_, i) => [...z.subarray(i * dim, (i + 1) * dim)]);
    const scalar = async () => {
      base.prepare();
      return (await logDensity(rows())).reduce((sum, value, i) => sum + bars[i] * value, 0);
    };
    await scalar();
    const zBar = upload(engine, rows());
    await base.backward(
      zBar,
      upload(engine, rows()),
      upload(
        engine,
        bars.map((bar) => [bar]),
      ),
    );
    await collectGradient(base);
    expectClose((await download(engine, zBar, 4)).flat(), await numericalGradient(scalar, z), 1e-7);
    await expectGradients(parameters.list, scalar);
    // What was taken is gone: of the next step only its own gradient counts.
    const taken = new Float64Array(base.gradientLength).fill(7);
    await base.takeGradient(taken);
    expect(taken).toEqual(new Float64Array(base.gradientLength));
  });

  it("is a density, and its samples are drawn from it", async () => {
    const { base, logDensity } = made(declaration, 1);
    // By x = tan(u) the whole line, whose tails may be those of a power.
    const cells = 4000;
    const u = Array.from({ length: cells }, (_, i) => Math.PI * ((i + 0.5) / cells - 0.5));
    const density = (await logDensity(u.map((v) => [Math.tan(v)]))).map(Math.exp);
    const masses = density.map((p, i) => (p * Math.PI) / cells / Math.cos(u[i]) ** 2);
    expect(masses.reduce((a, b) => a + b)).toBeCloseTo(1, 4);
    // Kolmogorov and Smirnov's test at a false-alarm rate of 0.001; the seed is fixed.
    const count = 4000;
    const draws = base.sample(count, 5).values.slice().sort();
    let [below, passed, worst] = [0, 0, 0];
    masses.forEach((mass, i) => {
      const end = Math.tan(Math.PI * ((i + 1) / cells - 0.5));
      while (passed < count && draws[passed] <= end) passed++;
      below += mass;
      worst = Math.max(worst, Math.abs(passed / count - below));
    });
    expect(worst).toBeLessThan(1.95 / Math.sqrt(count));
  });

  it("draws each sample by its own number", () => {
    const { base } = made(declaration, 2);
    const all = base.sample(6, 9);
    expect(base.sample(4, 9).values).toEqual(all.slice(0, 4).values);
    expect(base.sample(6, 8).values).not.toEqual(all.values);
    expect(new Set(all.values).size).toBe(12);
  });

  it("is learned with a flow, whose densities have it as their term", async () => {
    const flow = await Flow.create(
      { ...monotoneFlow({ dim: 1, blocks: 1, growth: 4 }), base: declaration },
      { engine: new ReferenceEngine(), capacity: 64 },
    );
    const random = testRandom(21);
    // Two far clusters with outliers: no base that is fixed fits them at once.
    const rows = Array.from({ length: 200 }, (_, i) => [
      (i % 2 ? 3 : -3) + random.normal() * (i % 20 ? 0.3 : 3),
    ]);
    const before = (await flow.logProb(rows)).reduce((a, b) => a + b) / 200;
    await train(flow, rows, { steps: 60, batch: 64, learningRate: 3e-2 });
    const logProb = await flow.logProb(rows);
    expect(logProb.reduce((a, b) => a + b) / 200).toBeGreaterThan(before + 0.3);
    const learned = flow.parameters.list.filter(({ name }) => name.startsWith("base."));
    expect(learned.every(({ owner }) => owner === "the base")).toBe(true);
    const { z } = await flow.forward(rows);
    const [base] = await flow.logProbTerms(rows);
    expect(base.name).toBe("base");
    if (declaration.kind !== "normal") return;
    expectClose(
      base.values,
      z.values.map((x) => (-x * x) / 2 - Math.log(2 * Math.PI) / 2),
      1e-12,
    );
  });
});

it("has the gamma function's logarithm and its derivative", () => {
  // Gamma(n) = (n - 1)!, Gamma(1/2) = sqrt pi, psi(1) = -0.5772..., psi(1/2) = psi(1) - 2 ln 2.
  const euler = 0.5772156649015329;
  let factorial = 1;
  let harmonic = 0;
  for (let n = 1; n < 30; n++) {
    const [logarithm, slope] = [Math.log(factorial), harmonic - euler];
    expect(Math.abs(logGamma(n) - logarithm)).toBeLessThan(Number.EPSILON * (10 + 2 * logarithm));
    expect(Math.abs(digamma(n) - slope)).toBeLessThan(4 * Number.EPSILON * (1 + Math.abs(slope)));
    factorial *= n;
    harmonic += 1 / n;
  }
  expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.PI) / 2, 14);
  expect(digamma(0.5)).toBeCloseTo(-euler - 2 * Math.LN2, 14);
  for (const x of [0.01, 0.3, 2.7, 9.99, 10.01, 1e3, 1e6]) {
    const h = 1e-5 * x;
    expect((logGamma(x + h) - logGamma(x - h)) / (2 * h)).toBeCloseTo(digamma(x), 4);
  }
});

it.each([0.2, 0.9, 1, 2.5, 40])("draws from the gamma distribution of shape %f", (shape) => {
  const random = testRandom(31);
  const draws = Array.from({ length: 20_000 }, () => drawGamma(shape, random));
  const mean = (f: (x: number) => number) => draws.reduce((sum, x) => sum + f(x), 0) / draws.length;
  // x and ln x are what the law's likelihood takes of its draws; their variances are shape and psi'(shape).
  const trigamma = (digamma(shape + 1e-4) - digamma(shape - 1e-4)) / 2e-4;
  expect(Math.abs(mean((x) => x) - shape)).toBeLessThan(3.3 * Math.sqrt(shape / draws.length));
  expect(Math.abs(mean(Math.log) - digamma(shape))).toBeLessThan(3.3 * Math.sqrt(trigamma / draws.length));
  // The fourth central moment is 3 shape^2 + 6 shape.
  const spread = Math.sqrt((2 * shape ** 2 + 6 * shape) / draws.length);
  expect(Math.abs(mean((x) => (x - shape) ** 2) - shape)).toBeLessThan(3.3 * spread);
});

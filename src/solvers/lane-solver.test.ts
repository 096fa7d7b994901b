import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Probe } from "../../test/support/bijections.js";
import { expectClose } from "../../test/support/close.js";
import { hostMap, watchSolve } from "../../test/support/lane-map.js";
import type { NetworkOptions } from "../../test/support/networks.js";
import { seeded } from "../../test/support/property.js";
import { add, normalRows, type Rows, subtract, testRandom, upload } from "../../test/support/rows.js";
import type { Monotone } from "../bijections/monotone.js";
import { type Engine, lanesOf, matrix } from "../engine/engine.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { WasmEngine } from "../engine/wasm/engine.js";
import { factorise, solveFactorisedTransposed } from "../linear-algebra.js";
import { Anderson } from "./anderson.js";
import { FixedPoint } from "./fixed-point.js";
import { type LaneMap, LaneSolver, type LaneSolverOptions } from "./lane-solver.js";
import { emptyCounts } from "./newton.js";

const engine = new ReferenceEngine();
const solvers = [
  ["fixed point", FixedPoint],
  ["Anderson", Anderson],
] as const;

/** A monotone block: w + G(w) = 2x and w - G(w) = 2y, which it solves with Newton's method, and its G as a map. */
function block(engine: Engine, options: NetworkOptions, samples: number, tangents = 0) {
  const probe = new Probe(engine, "monotone", options, samples);
  const { network } = probe.bijection as Monotone;
  const views = network.views(network.workspace(samples, tangents), samples, tangents);
  const map: LaneMap = {
    input: lanesOf(views.input, 0, samples),
    output: lanesOf(views.output, 0, samples),
    evaluate: () => network.evaluate(views),
  };
  return { probe, map };
}

const twice = (rows: Rows) => rows.map((row) => row.map((x) => 2 * x));

describe.each(solvers)("%s", (_, Solver) => {
  const cases = fc.record({
    dim: fc.constantFrom(1, 2, 3, 5),
    samples: fc.integer({ min: 1, max: 9 }),
    sign: fc.constantFrom(1 as const, -1 as const),
    seed: fc.nat(1_000_000),
    spread: fc.constantFrom(0.1, 1, 30),
    weightScale: fc.double({ min: 0.1, max: 20, noNaN: true }),
    coeff: fc.constantFrom(0.5, 0.9, 0.97),
    activation: fc.constantFrom("CPila", "CLipSwish", "CReLU", "tanh"),
    kind: fc.constantFrom("dense" as const, "multilayer" as const),
  });

  it("reaches the tolerance and Newton's solution, and leaves G there, for any network", async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ samples, sign, spread, ...options }) => {
        const { probe, map } = block(engine, options, samples);
        const random = testRandom(options.seed + 1);
        const x = normalRows(random, samples, options.dim, spread);
        const start = normalRows(random, samples, options.dim, spread);
        const solver = new Solver(engine, options.dim, samples);
        const tolerance = 1e-13;
        const outcome = await watchSolve(engine, solver, map, { target: twice(x), start, sign, tolerance });
        const { counts, taken, trace, residuals, solution } = outcome;
        expect(counts).toMatchObject({ solves: 1, evaluations: Math.max(...taken), unconverged: 0 });
        expect(counts.residual).toBeLessThanOrEqual(tolerance);
        expect(trace.at(-1)).toEqual(solution);
        const size = Math.max(1, ...solution.flat().map(Math.abs), ...twice(x).flat().map(Math.abs));
        expectClose(residuals.at(-1)?.flat() ?? [], new Array(x.flat().length).fill(0), tolerance * size);
        const { out } = await probe[sign === 1 ? "forward" : "inverse"](x);
        const w = out.map((row, i) => add(row, x[i]));
        expectClose(solution.flat(), w.flat(), 1e-12 / (1 - probe.lipschitz));
      }),
      seeded(60),
    );
  });

  it("stops every sample by itself, where and when it would stop alone", async () => {
    const samples = 8;
    const options: NetworkOptions = { dim: 2, seed: 5, weightScale: 10, growth: 8 };
    const { map } = block(engine, options, samples);
    const target = normalRows(testRandom(6), samples, 2, 3);
    const solve = (map: LaneMap, target: Rows) =>
      watchSolve(engine, new Solver(engine, 2, samples), map, { target, start: target, tolerance: 1e-10 });
    const { taken, trace, solution } = await solve(map, target);
    expect(new Set(taken).size).toBeGreaterThan(1);
    for (let s = 0; s < samples; s++) {
      const own = trace.map((points) => points[s]);
      for (const point of own.slice(taken[s])) expect(point).toEqual(solution[s]);
      expect(own[taken[s] - 2]).not.toEqual(solution[s]);
      const alone = await solve(block(engine, options, 1).map, [target[s]]);
      expect(alone.taken).toEqual([taken[s]]);
      expect(alone.solution).toEqual([solution[s]]);
    }
  });

  it("solves on other engines, also where the values are the start of a jet", async () => {
    for (const relaxed of [true, false]) {
      const wasm = await WasmEngine.create({ relaxed });
      for (const tangents of [0, 3]) {
        const options: NetworkOptions = { dim: 3, seed: 8, weightScale: 10, growth: 8 };
        const { probe, map } = block(wasm, options, 12, tangents);
        const x = normalRows(testRandom(9), 12, 3);
        const target = twice(x);
        const tolerance = 8 * wasm.epsilon;
        const solver = new Solver(wasm, 3, 12);
        const { counts, solution } = await watchSolve(wasm, solver, map, {
          target,
          start: target,
          tolerance,
        });
        expect(counts.unconverged).toBe(0);
        const { out } = await probe.forward(x);
        expectClose(
          solution.flat(),
          out.flatMap((row, i) => add(row, x[i])),
          (4 * tolerance) / (1 - probe.lipschitz),
        );
      }
    }
  });

  it("solves (I + A)^T u = r from products with A^T alone", async () => {
    const [rows, lanes] = [4, 3];
    const random = testRandom(11);
    const a = Float64Array.from({ length: rows * rows }, () => 0.2 * random.normal());
    const weight = matrix(engine.tensor(a.length), rows, rows);
    engine.write(weight.tensor, a);
    const map = hostMap(engine, rows, lanes, () => []);
    map.evaluate = () => engine.linearTransposed(map.output, weight, map.input, false);
    const right = normalRows(random, lanes, rows);
    const solver = new Solver(engine, rows, lanes);
    const { counts, solution } = await watchSolve(engine, solver, map, {
      target: right,
      start: right,
      tolerance: 1e-13,
    });
    expect(counts.unconverged).toBe(0);
    const factors = factorise(a.map((value, n) => value + (n % (rows + 1) === 0 ? 1 : 0)));
    for (const [lane, r] of right.entries()) {
      const expected = Float64Array.from(r);
      solveFactorisedTransposed(factors, expected);
      expectClose(solution[lane], expected, 1e-12);
    }
  });

  it("reports a map that is no contraction as unconverged, at the best point", async () => {
    const map = hostMap(engine, 2, 2, (point) => point.map((w) => 5 * w));
    const start = [
      [0, 0],
      [1, -1],
    ];
    const { counts, taken, solution } = await watchSolve(engine, new Solver(engine, 2, 2), map, {
      target: start.map(() => [1, 1]),
      start,
      tolerance: 1e-9,
    });
    expect(counts).toMatchObject({ solves: 1, unconverged: 2, residual: 7 });
    expect(Math.max(...taken)).toBeLessThan(10);
    expect(solution).toEqual(start);
  });

  it("gives up where there is no solution, at the best point that it has seen", async () => {
    // w + G(w) = 1 + |w|^2 / 4 in the first row.
    const map = hostMap(engine, 2, 3, ([a, b]) => [1 + (a * a + b * b) / 4 - a, 0]);
    const start = [
      [3, 1],
      [-50, 0.5],
      [0.1, 0],
    ];
    const target = start.map(() => [0, 0]);
    const { counts, solution, residuals, taken } = await watchSolve(engine, new Solver(engine, 2, 3), map, {
      target,
      start,
      tolerance: 1e-9,
    });
    expect(counts).toMatchObject({ solves: 1, unconverged: 3 });
    expect(counts.residual).toBeGreaterThan(0.01);
    expect(Math.max(...taken)).toBeLessThanOrEqual(4096);
    solution.forEach((point, s) => {
      expect(point.every(Number.isFinite)).toBe(true);
      const norms = residuals.map((all) => Math.hypot(...all[s]));
      expect(norms.at(-1)).toBe(Math.min(...norms.filter((n) => !Number.isNaN(n))));
    });
  });

  it("leaves a sample whose map is not a number at its start, and solves the others", async () => {
    const map = hostMap(engine, 1, 3, ([w], lane) => [lane === 1 ? Number.NaN : Math.cos(w) / 2]);
    const start = [[1], [2], [3]];
    const { counts, solution, taken } = await watchSolve(engine, new Solver(engine, 1, 3), map, {
      target: start,
      start,
      tolerance: 1e-12,
    });
    expect(counts).toMatchObject({ unconverged: 1, residual: Number.NaN });
    expect(taken[1]).toBe(1);
    for (const s of [0, 2]) expectClose([solution[s][0] + Math.cos(solution[s][0]) / 2], start[s], 1e-12);
    expect(solution[1]).toEqual([2]);
  });

  it("survives a map that is not a number somewhere on the way", async () => {
    // The first step leads to -3.5, where there is no value.
    const map = hostMap(engine, 1, 1, ([w]) => [w < -3 ? Number.NaN : 4 + w / 2]);
    const outcome = watchSolve(engine, new Solver(engine, 1, 1), map, {
      target: [[1]],
      start: [[1]],
      tolerance: 1e-12,
    });
    const { counts, taken, solution } = await outcome;
    expect(counts.unconverged).toBe(1);
    // The second time that it is not a number, after the plain step from the best point, is the last.
    expect(taken).toEqual([3]);
    expect(solution).toEqual([[1]]);
  });

  it("counts a residual that is the tolerance, or enough, as reached", async () => {
    // w + G(w) = 1 for all w.
    const solve = async (tolerance: number, enough: number) => {
      const map = hostMap(engine, 1, 1, ([w]) => [1 - w]);
      engine.write(map.input.tensor, [0]);
      const counts = emptyCounts();
      const target = upload(engine, [[0.5]]);
      const taken = await new Solver(engine, 1, 1).solve(map, target, 1, tolerance, counts, {
        floor: 8,
        enough,
      });
      return { taken: taken[0], unconverged: counts.unconverged, residual: counts.residual };
    };
    const reached = { unconverged: 0, residual: 0.0625 };
    expect(await solve(0.0625, 0.0625)).toEqual({ taken: 1, ...reached });
    // The first evaluation, and one failure more than patience has.
    expect(await solve(0.03, 0.0625)).toEqual({ taken: 6, ...reached });
    expect(await solve(0.03, 0.06)).toEqual({ taken: 6, ...reached, unconverged: 1 });
  });

  it("measures a residual against the largest of the target, the point and the floor, of each solve anew", async () => {
    const solver = new Solver(engine, 2, 1);
    // The residual is 1/16 everywhere, in the first component.
    const relative = async (target: number, w: number, floor: number) => {
      const map = hostMap(engine, 2, 1, ([a, b]) => [target + 0.0625 - a, -b]);
      engine.write(map.input.tensor, [w, 0]);
      const counts = emptyCounts();
      await solver.solve(map, upload(engine, [[target, 0]]), 1, 1e-9, counts, { floor });
      return counts.residual;
    };
    expect(await relative(-16, 2, 1)).toBe(0.0625 / 16);
    expect(await relative(1, -8, 0.5)).toBe(0.0625 / 8);
    expect(await relative(2, 1, 0.5)).toBe(0.0625 / 2);
    expect(await relative(0.25, -0.25, 0.5)).toBe(0.0625 / 0.5);
  });

  it("arrives within the evaluations that the proof allows where G turns and its largest component can grow", async () => {
    const [cos, sin] = [0.98 * Math.SQRT1_2, 0.98 * Math.SQRT1_2];
    const map = hostMap(engine, 2, 3, ([a, b]) => [cos * a - sin * b, sin * a + cos * b]);
    const target = [
      [1, 0],
      [3, 4],
      [-1, 1],
    ];
    const tolerance = 1e-12;
    const { counts, taken } = await watchSolve(engine, new Solver(engine, 2, 3), map, {
      target,
      start: target,
      tolerance,
    });
    expect(counts.unconverged).toBe(0);
    const steps = Math.log(tolerance / 5) / Math.log(0.98);
    expect(Math.max(...taken)).toBeLessThanOrEqual(1 + 2 * Math.ceil(steps));
  });

  it.each([1e30, 1e-30])("solves in float32 for targets of size %f as for others", async (size) => {
    for (const each of [engine, await WasmEngine.create()]) {
      const map = hostMap(each, 2, 4, ([a, b]) => [0.6 * b, -0.6 * a]);
      const target = [
        [size, 0],
        [0, -3 * size],
        [2, 1],
        [0, 0],
      ];
      const { counts, solution } = await watchSolve(each, new Solver(each, 2, 4), map, {
        target,
        start: target,
        tolerance: size < 1 ? 1e-5 * size : 1e-5,
      });
      // The third sample, of the usual size, comes to 1e-35 by chance alone.
      expect(counts.unconverged).toBeLessThanOrEqual(size < 1 ? 1 : 0);
      target.forEach(([t, u], s) => {
        const expected = [(t - 0.6 * u) / 1.36, (u + 0.6 * t) / 1.36];
        const scale = Math.max(Number.MIN_VALUE, Math.abs(t), Math.abs(u));
        expectClose(
          solution[s].map((x) => x / scale),
          expected.map((x) => x / scale),
          1e-4,
        );
      });
    }
  });

  it("ends after the evaluations that it may use", async () => {
    const random = testRandom(13);
    const start = normalRows(random, 4, 3);
    const map = hostMap(engine, 3, 4, (point) => point.map((w, i) => -0.999 * Math.sin(w + i)));
    const solver = new Solver(engine, 3, 4, { maxEvaluations: 3 });
    const { counts, taken, trace } = await watchSolve(engine, solver, map, {
      target: start,
      start,
      tolerance: 1e-14,
    });
    expect(taken).toEqual([3, 3, 3, 3]);
    expect(counts.unconverged).toBe(4);
    expect(counts.evaluations).toBe(trace.length);
    expect(trace.length).toBeLessThanOrEqual(4);
  });

  it("takes what rounding leaves, where that is said to be enough", async () => {
    // Near its fixed point, 2/3, the map is only known to 1e-4.
    const coarse = hostMap(engine, 1, 1, ([w]) => [1 - Math.round(5e3 * w) / 1e4 + 3e-5]);
    const solve = (enough?: number) => {
      const counts = emptyCounts();
      engine.write(coarse.input.tensor, [0]);
      const options = enough === undefined ? {} : { enough };
      return new Solver(engine, 1, 1)
        .solve(coarse, upload(engine, [[0]]), -1, 1e-12, counts, options)
        .then(() => counts);
    };
    const [strict, content, between] = [await solve(), await solve(1e-3), await solve(1e-9)];
    expect(strict).toMatchObject({ unconverged: 1, unconvergedLanes: [0] });
    expect(content).toEqual({ ...strict, unconverged: 0, unconvergedLanes: [] });
    expect(content.residual).toBeGreaterThan(1e-9);
    expect(between).toEqual(strict);
  });

  it("adds to the counts that it is given, and keeps the largest residual", async () => {
    const map = hostMap(engine, 1, 1, () => [0]);
    const counts = { solves: 2, evaluations: 10, unconverged: 1, unconvergedLanes: [0], residual: 0.5 };
    await new Solver(engine, 1, 1).solve(map, upload(engine, [[3]]), 1, 1e-12, counts);
    expect(counts).toEqual({
      solves: 3,
      evaluations: 12,
      unconverged: 1,
      unconvergedLanes: [0],
      residual: 0.5,
    });
  });

  it("can be used again, for fewer samples", async () => {
    const map = (lanes: number) => hostMap(engine, 2, lanes, (point) => point.map((w) => Math.sin(w) / 2));
    const used = new Solver(engine, 2, 5);
    const options = (target: Rows) => ({ target, start: target.map(() => [0, 0]), tolerance: 1e-12 });
    const random = testRandom(15);
    await watchSolve(engine, used, map(5), options(normalRows(random, 5, 2)));
    const target = normalRows(random, 2, 2);
    const again = await watchSolve(engine, used, map(2), options(target));
    expect(again).toEqual(await watchSolve(engine, new Solver(engine, 2, 2), map(2), options(target)));
  });
});

/** A solver that mixes its newest step with the one before: a share of the newest, found from their two residuals. */
class Mixed extends LaneSolver {
  readonly share: (newest: number, before: number) => number;

  constructor(share: Mixed["share"], options: LaneSolverOptions = {}) {
    super(engine, 1, 1, 1, options);
    this.share = share;
  }

  protected mix(_sample: number, newest: number): void {
    const before = (newest - 1 + this.size) % this.size;
    const residual = (slot: number) => Math.sqrt(this.gram[slot * this.size + slot]);
    const share = this.known[before] === 1 ? this.share(residual(newest), residual(before)) : 1;
    this.weights[newest] = share;
    if (share !== 1) this.weights[before] = 1 - share;
  }
}

it.each([
  // With G(w) = -w / 2 and target 1, steps are 2 + r: this mixture of them is w - 0.01 r.
  ["hardly lead on", (r: number, before: number) => (1.99 * r - before) / (r - before)],
  ["lead astray", () => -3],
  ["are not finite", () => Number.NaN],
  ["lead where the map is not a number", () => 1e3],
])("every other step at least is one of the fixed point where mixtures %s", async (_, share) => {
  const target = [[1]];
  const map = hostMap(engine, 1, 1, ([w]) => [w < 100 ? -0.5 * w : Number.NaN]);
  const options = { target, start: target, tolerance: 1e-6 };
  const { counts, taken, solution } = await watchSolve(engine, new Mixed(share), map, options);
  expect(counts.unconverged).toBe(0);
  expectClose(solution[0], [2], 4e-6);
  // Each of the fixed point's halves the residual.
  expect(taken[0]).toBeLessThanOrEqual(1 + 2 * Math.ceil(Math.log2(1e6)));
});

it("mixes again after a plain step, however little that has lowered the residual", async () => {
  // With G(w) = -0.99 w and target 1 points are 100 + 100 r and steps 100 + 99 r: plain ones lower r to 0.99 r, this mixture to 0.995 r.
  let mixtures = 0;
  const share = (r: number, before: number) => {
    mixtures++;
    return ((99.5 / 99) * r - before) / (r - before);
  };
  const map = hostMap(engine, 1, 1, ([w]) => [-0.99 * w]);
  const { taken } = await watchSolve(engine, new Mixed(share, { maxEvaluations: 20 }), map, {
    target: [[1]],
    start: [[1]],
    tolerance: 1e-6,
  });
  expect(taken).toEqual([20]);
  // After the evaluations 2, 4, ..., 18.
  expect(mixtures).toBe(9);
});

it("mixes the points since the last failure that each lowered the residual, of every sample its own", async () => {
  /** Notes, at every mixture, which slots it may take. */
  class Watched extends Anderson {
    readonly seen: { sample: number; known: number[] }[] = [];
    protected override mix(sample: number, newest: number): void {
      const slots = Array.from({ length: this.size }, (_, slot) => slot);
      const known = slots.filter((slot) => this.known[slot * this.samples + sample] === 1);
      this.seen.push({ sample, known });
      super.mix(sample, newest);
    }
  }
  const [dim, samples, memory] = [2, 5, 5];
  const size = Math.max(Math.min(memory, dim) + 1, 6);
  const random = testRandom(17);
  const [target, start] = [normalRows(random, samples, dim, 3), normalRows(random, samples, dim, 3)];
  // Folds that a mixture of points from both sides overlooks.
  const fold = (x: number) => 0.9 * Math.abs((((x % 1) + 1) % 1) - 0.5);
  const map = hostMap(engine, dim, samples, ([a, b]) => [fold(b) + 0.05 * a, -fold(a) + 0.05 * b]);
  const solver = new Watched(engine, dim, samples, { memory });
  const { taken, residuals } = await watchSolve(engine, solver, map, { target, start, tolerance: 1e-13 });
  let failed = 0;
  for (let s = 0; s < samples; s++) {
    const expected: number[][] = [];
    let known: number[] = [];
    let [best, failures, mixed, last] = [0, 0, false, Number.POSITIVE_INFINITY];
    for (let n = 0; n < taken[s] - 1; n++) {
      const square = residuals[n][s].reduce((sum, r) => sum + r * r, 0);
      known = known.filter((point) => point > n - size);
      if (square < last) {
        const slow = mixed && square > 0.98 ** 2 * last;
        [best, failures, last] = [n, 0, square];
        known.push(n);
        if (!slow) expected.push(known.map((point) => point % size).sort());
        mixed = !slow && known.length > 1;
        continue;
      }
      mixed = false;
      if (++failures > 1) continue;
      known = [best];
      failed++;
    }
    expect(solver.seen.filter(({ sample }) => sample === s).map((mixture) => mixture.known)).toEqual(
      expected,
    );
  }
  expect(failed).toBeGreaterThan(3);
});

it("the fixed point takes the steps w <- target - sign G(w)", async () => {
  const target = normalRows(testRandom(16), 4, 3);
  const g = (point: number[]) => point.map((w, i) => Math.sin(w + i) / 2);
  for (const sign of [1, -1] as const) {
    const { trace } = await watchSolve(engine, new FixedPoint(engine, 3, 4), hostMap(engine, 3, 4, g), {
      target,
      start: target,
      sign,
      tolerance: 1e-3,
    });
    const step = target.map((t, s) =>
      subtract(
        t,
        g(target[s]).map((value) => sign * value),
      ),
    );
    expectClose(trace[1].flat(), step.flat(), 1e-15);
  }
});

it("takes plain steps where the mixture of known ones is not finite, of these samples alone", async () => {
  /** Every third mixture of the second sample has no numbers. */
  class Broken extends Anderson {
    mixed = 0;
    protected override mix(sample: number, newest: number): void {
      super.mix(sample, newest);
      if (sample !== 1 || ++this.mixed % 3 !== 0) return;
      for (let slot = 0; slot < this.size; slot++) this.weights[slot * this.samples + sample] = Number.NaN;
    }
  }
  const [dim, samples] = [3, 3];
  const { map } = block(engine, { dim, weightScale: 5, coeff: 0.9 }, samples);
  const random = testRandom(93);
  const [target, start] = [normalRows(random, samples, dim), normalRows(random, samples, dim)];
  const whole = await watchSolve(engine, new Anderson(engine, dim, samples), map, {
    target,
    start,
    tolerance: 1e-13,
  });
  const solver = new Broken(engine, dim, samples);
  const { counts, solution, taken, trace } = await watchSolve(engine, solver, map, {
    target,
    start,
    tolerance: 1e-13,
  });
  expect(solver.mixed).toBeGreaterThan(3);
  expect(trace.flat(2).every(Number.isFinite), "finite points at all evaluations").toBe(true);
  expect(counts.unconverged).toBe(0);
  expectClose(solution.flat(), whole.solution.flat(), 1e-12);
  expect([taken[0], taken[2]]).toEqual([whole.taken[0], whole.taken[2]]);
});

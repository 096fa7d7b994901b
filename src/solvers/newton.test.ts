import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../test/support/close.js";
import { type NetworkOptions, smallNetwork } from "../../test/support/networks.js";
import { seeded } from "../../test/support/property.js";
import { normalRows, type Rows, testRandom, transpose } from "../../test/support/rows.js";
import { type Engine, lanesOf, type Matrix, matrix, newtonStateRows, rowsOf } from "../engine/engine.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { WasmEngine } from "../engine/wasm/engine.js";
import type { LipschitzNetwork } from "../networks/lipschitz-network.js";
import type { Views } from "../networks/workspace.js";
import { emptyCounts, newton } from "./newton.js";

const engines: [string, () => Promise<Engine>][] = [
  ["reference", async () => new ReferenceEngine()],
  ["wasm", () => WasmEngine.create()],
  ["wasm without relaxed SIMD", () => WasmEngine.create({ relaxed: false })],
];

async function rowsIn(engine: Engine, m: Matrix): Promise<Rows> {
  const all = new Float64Array(m.tensor.length);
  await engine.read(m.tensor, all);
  return Array.from({ length: m.rows }, (_, r) =>
    Array.from(all.subarray(m.offset + r * m.stride, m.offset + r * m.stride + m.lanes)),
  );
}

function write(engine: Engine, m: Matrix, rows: Rows): void {
  rows.forEach((row, r) => {
    engine.write(m.tensor, row, m.offset + r * m.stride);
  });
}

/** What one call of `newton` did. */
interface Trace {
  /** After every step, per sample: the norm of the accepted point's residual, the next trial, the next run. */
  norms: Rows;
  trials: Rows;
  runs: Rows;
}

/** Solves for the given targets and starts ([dimension][sample]), looking over the solver's shoulder. */
async function solve(
  engine: Engine,
  network: LipschitzNetwork,
  views: Views,
  options: { target: Rows; start: Rows; sign?: 1 | -1; tolerance: number },
) {
  const { target: goal, start, sign = 1, tolerance } = options;
  const dim = goal.length;
  const { batch } = views;
  const target = matrix(engine.tensor(dim * batch), dim, batch);
  const rows = newtonStateRows(dim);
  const state = matrix(engine.tensor(rows * batch), rows, batch);
  const w = lanesOf(views.input, 0, batch);
  write(engine, target, goal);
  write(engine, w, start);
  const trace: Trace = { norms: [], trials: [], runs: [] };
  const counts = emptyCounts();
  const status = engine.newtonStatus.bind(engine);
  engine.newtonStatus = async () => {
    const [norms, , trials, runs] = await rowsIn(engine, rowsOf(state, 3 * dim, 4));
    trace.norms.push(norms);
    trace.trials.push(trials);
    trace.runs.push(runs);
    return status();
  };
  let steps: Matrix;
  try {
    const open = engine.tensor(batch);
    steps = await newton(engine, network, { views, target, state, open }, sign, tolerance, counts);
  } finally {
    engine.newtonStatus = status;
  }
  const point = await rowsIn(engine, w);
  const jet = await rowsIn(engine, views.output);
  const residuals = transpose(point).map((sample, l) =>
    sample.map((value, i) => value + sign * jet[i][l] - goal[i][l]),
  );
  const best = await rowsIn(engine, rowsOf(state, 0, dim));
  return { counts, trace, point, jet, residuals, best, steps: await rowsIn(engine, steps) };
}

/** A network close to the limit of what is invertible, and its workspace. */
function steep(engine: Engine, batch: number, options: NetworkOptions) {
  const { network } = smallNetwork(engine, {
    coeff: 0.999,
    lip: 0.999,
    weightScale: 20,
    growth: 8,
    ...options,
  });
  network.prepare();
  const { dim } = network;
  return { network, views: network.views(network.workspace(batch, dim), batch, dim) };
}

describe.each(engines)("Newton's method on %s", (_, create) => {
  const BATCH = 32;

  const setups = [1, 2, 5].flatMap((dim) =>
    ["CPila", "CReLU"].flatMap((activation) =>
      (["dense", "multilayer"] as const).map((kind) => ({ dim, activation, kind })),
    ),
  );

  it.each(setups)(
    "solves from far away, Lipschitz constant near 1: $kind, $activation, $dim-D",
    async ({ dim, activation, kind }) => {
      const engine = await create();
      const tolerance = 8 * engine.epsilon;
      for (const sign of [1, -1] as const) {
        for (const seed of [31, 32]) {
          const { network, views } = steep(engine, BATCH, { dim, activation, kind, seed });
          expect(network.lipschitzBound()).toBeGreaterThan(0.99);
          const random = testRandom(seed + 10);
          const target = normalRows(random, dim, BATCH);
          const start = normalRows(random, dim, BATCH, 100);
          const { counts, trace, residuals } = await solve(engine, network, views, {
            target,
            start,
            sign,
            tolerance,
          });
          expect(counts).toMatchObject({ solves: 1, evaluations: trace.norms.length, unconverged: 0 });
          expect(counts.residual).toBeLessThanOrEqual(tolerance);
          expect(Math.max(...residuals.flat().map(Math.abs))).toBeLessThan(4 * tolerance);
          trace.norms.slice(1).forEach((norms, n) => {
            norms.forEach((norm, l) => {
              expect(norm, "residual of the accepted point").toBeLessThanOrEqual(trace.norms[n][l]);
            });
          });
        }
      }
    },
  );

  it("ends where the tolerance is out of reach, at the best point, with the jet there", async () => {
    const engine = await create();
    const { network, views } = steep(engine, BATCH, { dim: 3, seed: 33 });
    const random = testRandom(34);
    const outcome = await solve(engine, network, views, {
      target: normalRows(random, 3, BATCH),
      start: normalRows(random, 3, BATCH),
      tolerance: 0,
    });
    const { counts, trace, point, jet, best, residuals, steps } = outcome;
    const norms = trace.norms.at(-1) as number[];
    // A residual can be exactly zero, but not for all samples.
    const open = norms.filter((norm) => norm > 0).length;
    expect(open).toBeGreaterThan(0);
    expect(counts.unconverged).toBe(open);
    expect(counts.residual).toBeGreaterThan(0);
    expect(counts.residual).toBeLessThan(16 * engine.epsilon);
    // Samples are given up when the fixed point does not get them further, long before evaluations are counted.
    expect(counts.evaluations).toBe(trace.norms.length);
    expect(counts.evaluations).toBeLessThan(100);
    expect(point).toEqual(best);
    // What was given up has no step to add.
    norms.forEach((norm, l) => {
      if (norm > 0) expect(steps.map((row) => row[l])).toEqual([0, 0, 0]);
    });
    expect(Math.max(...residuals.flat().map(Math.abs))).toBeLessThan(64 * engine.epsilon);
    engine.basisTangents(views.input, BATCH);
    network.evaluate(views);
    expect(await rowsIn(engine, views.output)).toEqual(jet);
  });

  it("lets the last samples go on alone, and ends where it would have ended with all of them", async () => {
    const engine = await create();
    const dim = 2;
    const batch = 32;
    const { network } = smallNetwork(engine, { seed: 36 });
    const equations = (
      samples: number,
      views = network.views(network.workspace(samples, dim), samples, dim),
    ) => ({
      views,
      target: matrix(engine.tensor(dim * samples), dim, samples),
      state: matrix(engine.tensor(newtonStateRows(dim) * samples), newtonStateRows(dim), samples),
      open: engine.tensor(samples),
    });
    const random = testRandom(37);
    // Most samples start at their solution: only a few (an odd number of them) have far to go.
    const start = normalRows(random, dim, batch);
    const far = [3, 8, 17, 18, 30];
    const outcomes = [];
    for (const alone of [true, false]) {
      const whole = equations(batch);
      const w = lanesOf(whole.views.input, 0, batch);
      write(engine, w, start);
      engine.basisTangents(whole.views.input, batch);
      network.evaluate(whole.views);
      const values = await rowsIn(engine, lanesOf(whole.views.output, 0, batch));
      write(
        engine,
        whole.target,
        start.map((row, i) => row.map((x, l) => x + values[i][l] + (far.includes(l) ? 2 : 0))),
      );
      const parts: number[] = [];
      const spare = (samples: number) => {
        parts.push(samples);
        return equations(samples);
      };
      const counts = emptyCounts();
      const steps = await newton(
        engine,
        network,
        alone ? { ...whole, spare } : whole,
        1,
        8 * engine.epsilon,
        counts,
      );
      expect(parts).toEqual(alone ? [Math.ceil(5 / engine.laneMultiple) * engine.laneMultiple] : []);
      outcomes.push({
        counts,
        rows: await Promise.all(
          [w, steps, whole.views.bank, whole.views.pre, whole.views.output].map((m) => rowsIn(engine, m)),
        ),
      });
    }
    const [alone, together] = outcomes;
    // Samples do not influence each other, so every bit is the same.
    expect(alone.rows).toEqual(together.rows);
    expect(alone.counts.unconverged).toBe(0);
    expect(alone.counts.residual).toBe(together.counts.residual);
    const share = Math.ceil(5 / engine.laneMultiple) * (engine.laneMultiple / batch);
    expect(alone.counts.evaluations).toBeCloseTo(1 + share * (together.counts.evaluations - 1), 10);
    expect(together.counts.evaluations).toBeGreaterThan(1);
  });

  it("adds up its counts, and keeps the largest residual", async () => {
    const engine = await create();
    const { network, views } = steep(engine, 4, { dim: 1, seed: 35 });
    const counts = { solves: 2, evaluations: 10, unconverged: 1, unconvergedLanes: [0], residual: 0.5 };
    const [target, state] = [1, newtonStateRows(1)].map((rows) => matrix(engine.tensor(rows * 4), rows, 4));
    const open = engine.tensor(4);
    await newton(engine, network, { views, target, state, open }, 1, 8 * engine.epsilon, counts);
    expect(counts).toMatchObject({ solves: 3, unconverged: 1, residual: 0.5 });
    expect(counts.evaluations).toBeGreaterThan(10);
  });

  describe("whatever the Jacobians say", () => {
    /** Rounding in the residual, which grows by 1 / (1 - L), stays below this. */
    const tolerance = (engine: Engine) => 2 ** 10 * engine.epsilon;
    const identity = (dim: number, factor: number) =>
      Array.from({ length: dim }, (_, i) => Array.from({ length: dim }, (_, j) => (i === j ? factor : 0)));
    const turned = ([x, y]: number[], length: number, angle = Math.PI / 4) => [
      length * (Math.cos(angle) * x - Math.sin(angle) * y),
      length * (Math.sin(angle) * x + Math.cos(angle) * y),
    ];
    /** Accepted trials that take |r| from one norm to another (math.md, "The safeguard of Newton's method"). */
    const accepted = (lipschitz: number, from: number, to: number) =>
      Math.max(0, Math.ceil(Math.log(to / from) / Math.log(Math.max(lipschitz, 0.98))));

    it("solves G = 0.98 R(45 degrees), whose Newton steps mislead and whose largest component can grow", async () => {
      const engine = await create();
      const { network, views } = fake(engine, 2, 4, (w) => ({
        value: turned(w, 0.98),
        jacobian: identity(2, -0.99),
      }));
      const target = [
        [1, 0, 3, -1],
        [0, 1, 4, 1],
      ];
      const { counts, trace, point } = await solve(engine, network, views, {
        target,
        start: target,
        tolerance: tolerance(engine),
      });
      expect(counts.unconverged).toBe(0);
      // (I + 0.98 R) w = target, by Cramer's rule.
      const [a, b] = turned([1, 0], 0.98);
      const determinant = (1 + a) ** 2 + b ** 2;
      for (let l = 0; l < 4; l++) {
        const [t, u] = [target[0][l], target[1][l]];
        const expected = [((1 + a) * t + b * u) / determinant, ((1 + a) * u - b * t) / determinant];
        expectClose([point[0][l], point[1][l]], expected, 2 * tolerance(engine), "solution", 5);
      }
      // Every fixed-point step lowers |r| by 0.98; the Newton steps that fail between them cost a logarithm of these.
      const steps = accepted(0.98, Math.max(...trace.norms[0]), tolerance(engine));
      expect(counts.evaluations).toBeLessThan(1 + steps + 3 * Math.ceil(Math.log2(steps + 2)));
      expect(counts.evaluations).toBeLessThan(engine.name === "wasm" ? 500 : 1500);
    });

    it("does not take Newton steps that hardly lower the residual", async () => {
      const engine = await create();
      // G is 0, so one step of the fixed point solves; Newton's, here a hundredth of it, would take hundreds.
      const { network, views } = fake(engine, 2, 4, () => ({ value: [0, 0], jacobian: identity(2, 99) }));
      const zeros = [0, 0].map(() => new Array<number>(4).fill(0));
      const start = zeros.map((row) => row.map((_, l) => 1 + l));
      const { counts } = await solve(engine, network, views, {
        target: zeros,
        start,
        tolerance: tolerance(engine),
      });
      expect(counts).toMatchObject({ unconverged: 0, evaluations: 5 });
    });

    const liars = fc.record({
      lipschitz: fc.constantFrom(0.3, 0.9, 0.98),
      angle: fc.double({ min: -3.2, max: 3.2, noNaN: true }),
      spread: fc.constantFrom(0.01, 1, 30),
      shift: fc.double({ min: -3, max: 3, noNaN: true }),
      truth: fc.constantFrom(0, 0.5, 1),
      sign: fc.constantFrom(1 as const, -1 as const),
      seed: fc.nat(1_000_000),
    });

    it("ends within the evaluations that the proof allows, each of them no worse than the best before", async () => {
      const engine = await create();
      await fc.assert(
        fc.asyncProperty(liars, async ({ lipschitz, angle, spread, shift, truth, sign, seed }) => {
          const random = testRandom(seed);
          const columns = [
            [1, 0],
            [0, 1],
          ].map((e) => turned(e, lipschitz, angle));
          const { network, views } = fake(engine, 2, 4, (w) => ({
            value: turned(w, lipschitz, angle).map((x) => x + shift),
            jacobian: [0, 1].map((i) =>
              [0, 1].map((j) => (random.uniform() < truth ? columns[j][i] : 2 * random.normal())),
            ),
          }));
          const { counts, trace } = await solve(engine, network, views, {
            target: normalRows(random, 2, 4, spread),
            start: normalRows(random, 2, 4, spread),
            sign,
            tolerance: tolerance(engine),
          });
          expect(counts.unconverged).toBe(0);
          const limit = 1 + 4 * accepted(lipschitz, Math.max(...trace.norms[0]), tolerance(engine));
          expect(counts.evaluations).toBeLessThanOrEqual(limit);
          trace.norms.slice(1).forEach((norms, n) => {
            norms.forEach((norm, l) => {
              expect(norm).toBeLessThanOrEqual(trace.norms[n][l] + 2 * tolerance(engine) * spread);
            });
          });
        }),
        seeded(25),
      );
    });

    it.each([1e30, 1e-30])("solves for targets of size %f as for others", async (size) => {
      const engine = await create();
      const { network, views } = fake(engine, 2, 4, (w) => ({
        value: turned(w, 0.5),
        jacobian: identity(2, 5),
      }));
      const target = [
        [size, 0, 3 * size, -size],
        [0, size, 4 * size, size],
      ];
      const { counts, residuals } = await solve(engine, network, views, {
        target,
        start: target,
        tolerance: size < 1 ? 1e-4 * size : 1e-4,
      });
      expect(counts.unconverged).toBe(0);
      expect(counts.evaluations).toBeLessThanOrEqual(1 + 4 * accepted(0.5, 10, 1e-4));
      for (const residual of residuals.flat()) expect(Math.abs(residual)).toBeLessThanOrEqual(5e-4 * size);
    });

    it("gives a sample that is not a number up, says so, and leaves the others what they are", async () => {
      const engine = await create();
      const outcomes = [];
      for (const broken of [Number.NaN, Number.POSITIVE_INFINITY, 0.5]) {
        const { network, views } = fake(engine, 2, 4, (w, l) => ({
          value: turned(w, l === 2 ? broken : 0.5),
          jacobian: identity(2, 0.2),
        }));
        const target = normalRows(testRandom(38), 2, 4);
        const options = { target, start: target, tolerance: tolerance(engine) };
        outcomes.push(await solve(engine, network, views, options));
      }
      const whole = outcomes[2];
      expect(whole.counts).toMatchObject({ unconverged: 0 });
      for (const { counts, point } of outcomes.slice(0, 2)) {
        expect(counts.unconverged).toBe(1);
        expect(counts.residual).not.toBeLessThan(Number.POSITIVE_INFINITY);
        expect(counts.evaluations).toBeLessThanOrEqual(whole.counts.evaluations + 8);
        for (const l of [0, 1, 3]) {
          expect([point[0][l], point[1][l]]).toEqual([whole.point[0][l], whole.point[1][l]]);
        }
      }
    });
  });

  describe("on a staircase, where full steps overshoot", () => {
    /** Slopes of G: +-0.98 by turns, so that w + G(w) rises by 0.02 and by 1.98 a unit. */
    const SLOPE = 0.98;
    const WIDTH = 0.25;

    function staircase(w: number): { value: number; slope: number } {
      const step = Math.floor(w / WIDTH);
      const within = w - step * WIDTH;
      return Math.abs(step % 2) === 0
        ? { value: -SLOPE * within, slope: -SLOPE }
        : { value: SLOPE * (within - WIDTH), slope: SLOPE };
    }

    const TARGETS = [-1.9, -0.77, 0.003, 0.31, 0.52, 1.04, 1.49, 2.6];
    const STARTS = TARGETS.map((t, i) => t + (i % 2 === 0 ? 3.3 : -2.9));

    it("is an example on which Newton's method alone goes astray", () => {
      const lost = TARGETS.filter((target, i) => {
        let w = STARTS[i];
        for (let n = 0; n < 60; n++) w -= (w + staircase(w).value - target) / (1 + staircase(w).slope);
        return Math.abs(w + staircase(w).value - target) > 1e-6;
      });
      expect(lost.length).toBeGreaterThan(0);
    });

    it("damps its steps, then takes those of the fixed point, and arrives", async () => {
      const engine = await create();
      const { network, views } = fake(engine, 1, TARGETS.length, ([w]) => {
        const { value, slope } = staircase(w);
        return { value: [value], jacobian: [[slope]] };
      });
      const { counts, trace, point } = await solve(engine, network, views, {
        target: [TARGETS],
        start: [STARTS],
        tolerance: 8 * engine.epsilon,
      });
      expect(counts.unconverged).toBe(0);
      const roots = TARGETS.map((target) =>
        bisect((w) => w + staircase(w).value - target, target - 5, target + 5),
      );
      expectClose(point[0], roots, 1e3 * engine.epsilon);
      trace.norms.slice(1).forEach((norms, n) => {
        norms.forEach((norm, l) => {
          const before = trace.norms[n][l];
          expect(norm).toBeLessThanOrEqual(before);
          const size = Math.max(1, Math.abs(TARGETS[l]), Math.abs(point[0][l]));
          const accepted = norm < before || norm <= 8 * engine.epsilon * size;
          expect([trace.trials[n + 1][l], trace.runs[n + 1][l]]).toEqual(
            following(trace.trials[n][l], trace.runs[n][l], accepted),
          );
        });
      });
      // All safeguards were at work: shorter steps (1/2, 1/4) and, after those, the fixed point's.
      const trials = new Set(trace.trials.flat());
      expect([...trials]).toEqual(expect.arrayContaining([1, 0.5, 0.25, -1]));
    });
  });
});

/** The trial that follows one, and the length of the next run of fixed-point steps. */
function following(trial: number, run: number, accepted: boolean): [number, number] {
  if (trial < 0)
    return accepted && trial < -1 ? [trial + 1, run] : [accepted || -2 * trial < run ? 1 : 0, run];
  if (accepted) return [1, 1];
  return trial > 0.25 ? [trial / 2, run] : [-run, 2 * run];
}

/** A network whose samples have the values and the Jacobians that the host says. */
function fake(
  engine: Engine,
  dim: number,
  batch: number,
  at: (point: number[], lane: number) => { value: number[]; jacobian: Rows },
) {
  const lanes = batch * (1 + dim);
  const whole = () => matrix(engine.tensor(dim * lanes), dim, lanes);
  const [input, output] = [whole(), whole()];
  const buffer = new Float64Array(dim * lanes);
  const evaluate = () => {
    // Engines hand out their numbers at once; the promise is there for those that will not.
    void engine.read(input.tensor, buffer);
    for (let l = 0; l < batch; l++) {
      const point = Array.from({ length: dim }, (_, i) => buffer[i * lanes + l]);
      const { value, jacobian } = at(point, l);
      for (let i = 0; i < dim; i++) {
        [value[i], ...jacobian[i]].forEach((x, segment) => {
          engine.write(output.tensor, [x], i * lanes + segment * batch + l);
        });
      }
    }
  };
  return {
    network: { dim, evaluate } as unknown as LipschitzNetwork,
    views: { batch, input, output } as Views,
  };
}

/** The root of an increasing function between two points. */
function bisect(f: (x: number) => number, low: number, high: number): number {
  for (let n = 0; n < 100; n++) {
    const middle = (low + high) / 2;
    if (f(middle) < 0) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

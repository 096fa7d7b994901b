import { describe, expect, it } from "vitest";
import { expectClose } from "../../test/support/close.js";
import { type NetworkOptions, smallNetwork } from "../../test/support/networks.js";
import { normalRows, type Rows, testRandom, transpose } from "../../test/support/rows.js";
import { type Engine, lanesOf, type Matrix, matrix, rowsOf } from "../engine/engine.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { WasmEngine } from "../engine/wasm/engine.js";
import type { Network, Views } from "../networks/network.js";
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
  /** After every step: the norm of the accepted point's residual, and the length of step tried, per sample. */
  norms: Rows;
  lengths: Rows;
}

/** Solves for the given targets and starts ([dimension][sample]), looking over the solver's shoulder. */
async function solve(
  engine: Engine,
  network: Network,
  views: Views,
  options: { target: Rows; start: Rows; sign?: 1 | -1; tolerance: number },
) {
  const { target: goal, start, sign = 1, tolerance } = options;
  const dim = goal.length;
  const { batch } = views;
  const target = matrix(engine.tensor(dim * batch), dim, batch);
  const state = matrix(engine.tensor((3 * dim + 2) * batch), 3 * dim + 2, batch);
  const w = lanesOf(views.input, 0, batch);
  write(engine, target, goal);
  write(engine, w, start);
  const trace: Trace = { norms: [], lengths: [] };
  const counts = emptyCounts();
  const status = engine.newtonStatus.bind(engine);
  engine.newtonStatus = async () => {
    const rows = await rowsIn(engine, rowsOf(state, 3 * dim, 2));
    trace.norms.push(rows[0]);
    trace.lengths.push(rows[1]);
    return status();
  };
  try {
    const open = engine.tensor(batch);
    await newton(engine, network, { views, target, state, open }, sign, tolerance, counts);
  } finally {
    engine.newtonStatus = status;
  }
  const point = await rowsIn(engine, w);
  const jet = await rowsIn(engine, views.output);
  const residuals = transpose(point).map((sample, l) =>
    sample.map((value, i) => value + sign * jet[i][l] - goal[i][l]),
  );
  return { counts, trace, point, jet, residuals, best: await rowsIn(engine, rowsOf(state, 0, dim)) };
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
    const { counts, trace, point, jet, best, residuals } = outcome;
    const norms = trace.norms.at(-1) as number[];
    // A residual can be exactly zero, but not for all samples.
    const open = norms.filter((norm) => norm > 0).length;
    expect(open).toBeGreaterThan(0);
    expect(counts.unconverged).toBe(open);
    expect(counts.residual).toBeGreaterThan(0);
    expect(counts.residual).toBeLessThan(16 * engine.epsilon);
    // One more evaluation, without a step, puts the jet at the best point.
    expect(counts.evaluations).toBe(trace.norms.length + 1);
    expect(point).toEqual(best);
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
      state: matrix(engine.tensor((3 * dim + 2) * samples), 3 * dim + 2, samples),
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
    const counts = { solves: 2, evaluations: 10, unconverged: 1, residual: 0.5 };
    const [target, state] = [1, 5].map((rows) => matrix(engine.tensor(rows * 4), rows, 4));
    const open = engine.tensor(4);
    await newton(engine, network, { views, target, state, open }, 1, 8 * engine.epsilon, counts);
    expect(counts).toMatchObject({ solves: 3, unconverged: 1, residual: 0.5 });
    expect(counts.evaluations).toBeGreaterThan(10);
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

    /** A network in one dimension whose jet is that of the staircase. */
    function fake(engine: Engine) {
      const batch = TARGETS.length;
      const whole = () => matrix(engine.tensor(2 * batch), 1, 2 * batch);
      const [input, output] = [whole(), whole()];
      const buffer = new Float64Array(2 * batch);
      const evaluate = () => {
        // Engines hand out their numbers at once; the promise is there for those that will not.
        void engine.read(input.tensor, buffer);
        const jets = Array.from(buffer.subarray(0, batch), staircase);
        engine.write(output.tensor, [...jets.map((j) => j.value), ...jets.map((j) => j.slope)]);
      };
      return { network: { evaluate } as unknown as Network, views: { batch, input, output } as Views };
    }

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
      const { network, views } = fake(engine);
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
          // A trial that is not an improvement halves the length, one that is brings back the full step.
          expect(trace.lengths[n + 1][l]).toBe(norm < before ? 1 : trace.lengths[n][l] / 2);
        });
      });
      // Both safeguards were at work: shorter steps (1/2, 1/4) and, below those, the fixed point's.
      const lengths = new Set(trace.lengths.flat());
      expect([...lengths]).toEqual(expect.arrayContaining([1, 0.5, 0.25, 0.125]));
    });
  });
});

/** The root of an increasing function between two points. */
function bisect(f: (x: number) => number, low: number, high: number): number {
  for (let n = 0; n < 100; n++) {
    const middle = (low + high) / 2;
    if (f(middle) < 0) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

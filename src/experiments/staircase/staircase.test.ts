import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectClose } from "../../../test/support/close.js";
import { randomise } from "../../../test/support/networks.js";
import { testRandom } from "../../../test/support/rows.js";
import { Actnorm } from "../../bijections/actnorm.js";
import { staircase } from "../../data/staircase.js";
import { Flow } from "../../flows/flow.js";
import { claimsOf } from "../../reports/report.js";
import { Run } from "../../runs/run.js";
import { configOf } from "./config.js";
import { type Measures, measure } from "./measure.js";
import { full, type Protocol, quick, variants } from "./protocol.js";
import { type Result, reportOf } from "./report.js";

const folder = mkdtempSync(join(tmpdir(), "staircase-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The flow of a variant, with small networks far from the identity and an actnorm that scales by 2. */
async function randomFlow(index: number): Promise<Flow> {
  const small: Protocol = { ...full, network: { ...full.network, depth: 2, growth: 8 } };
  const flow = await Flow.create(configOf(variants[index], small, 0).flow);
  randomise(flow.parameters, testRandom(70), 2);
  for (const b of flow.chain.bijections) if (b instanceof Actnorm) b.logScale.values[0] = Math.log(2);
  await flow.convergeNorms();
  return flow;
}

describe.each(variants.map(({ title }, index) => ({ title, index })))("$title", ({ index }) => {
  let flow: Flow;
  let measures: Measures;
  beforeAll(async () => {
    flow = await randomFlow(index);
    measures = await measure(flow);
  });

  it("has the slopes of its differences, within the attainable ones", () => {
    const { x, value, slope, slopes, attainable } = measures;
    // The middle one of three points on a straight piece has the slope of the pieces beside it.
    let straight = 0;
    for (let i = 500; i < x.length - 500; i += 500) {
      const [before, after] = [-200, 200].map((by) => (value[i + by] - value[i]) / (x[i + by] - x[i]));
      if (Math.abs(before / after - 1) > 1e-3) continue;
      straight++;
      expect(slope[i] / after).toBeCloseTo(1, 2);
    }
    expect(straight).toBeGreaterThan(5);
    expect(slopes[0]).toBeGreaterThanOrEqual(attainable[0] * 0.999);
    expect(slopes[1]).toBeLessThanOrEqual(attainable[1] * 1.001);
  });

  it("has the errors of its values", () => {
    const { x, value, meanSquaredError, largestError } = measures;
    const errors = Array.from(x, (at, i) => value[i] - staircase(at));
    expectClose([meanSquaredError], [errors.reduce((sum, e) => sum + e * e, 0) / errors.length], 1e-12);
    expect(largestError).toBe(Math.max(...errors.map(Math.abs)));
  });

  it("has a configuration that a run directory keeps", () => {
    const config = configOf(variants[index], full, 1);
    const path = join(folder, variants[index].name);
    Run.create(path, config);
    expect(Run.open(path).config).toEqual(config);
  });
});

it("knows the slopes that each formulation can reach", async () => {
  const bounds = await Promise.all(
    variants.map(async (_, i) => {
      const flow = await randomFlow(i);
      return { l: flow.blocks.map(({ block }) => block.lipschitzBound()), ...(await measure(flow)) };
    }),
  );
  const expected = bounds.map(({ l: [l, m] }, i) => {
    const residual = (k: number) => [1 - k, 1 + k];
    const [first, second, scale] = [
      [residual(l), residual(m), 1],
      [residual(l), residual(m), 4],
      [residual(l), [1 / (1 + m), 1 / (1 - m)], 2],
      [[(1 - l) / (1 + l), (1 + l) / (1 - l)], [(1 - m) / (1 + m), (1 + m) / (1 - m)], 4],
    ][i] as [number[], number[], number];
    return [0, 1].map((side) => first[side] * second[side] * scale);
  });
  bounds.forEach(({ attainable }, i) => {
    expectClose(attainable, expected[i], 1e-12);
  });
});

describe("the report", () => {
  let results: Result[];
  beforeAll(async () => {
    const metrics = [10, 20].map((step) => ({
      step,
      loss: 1 / step,
      evaluations: 4,
      unconverged: 0,
      seconds: 1,
    }));
    results = await Promise.all(
      variants.map(async ({ title }, i) => {
        const flow = await randomFlow(i);
        return { title, measures: await measure(flow), metrics, parameters: 7 };
      }),
    );
  });

  /** The report where the flows have these errors. */
  const withErrors = (errors: number[]) =>
    reportOf(
      results.map((result, i) => ({
        ...result,
        measures: { ...result.measures, meanSquaredError: errors[i] },
      })),
      10,
      false,
    );

  it.each([
    { errors: [0.5, 0.4, 0.3, 0.03], holds: true },
    { errors: [0.5, 0.4, 0.3, 0.031], holds: false },
    { errors: [0.5, 0.05, 0.3, 0.006], holds: false },
    { errors: [0.5, Number.NaN, 0.3, 0.003], holds: false },
    { errors: [Number.NaN, 0.5, 0.3, 0.003], holds: false },
    { errors: [0.5, 0.4, 0.3, Number.NaN], holds: false },
  ])("holds two monotone blocks against the best of the others: $errors", ({ errors, holds }) => {
    const [claim, ...slopes] = claimsOf(withErrors(errors));
    expect(claim.holds).toBe(holds);
    expect(slopes.map((slope) => slope.holds)).toEqual([true, true, true, true]);
  });

  it("fails a flow whose slopes leave their bounds", () => {
    const [first, ...others] = results;
    const measures = { ...first.measures, slopes: [first.measures.attainable[0] * 0.9, 1] as const };
    const claims = claimsOf(reportOf([{ ...first, measures }, ...others], 10, false));
    expect(claims.filter(({ claim }) => /slopes/.test(claim)).map(({ holds }) => holds)).toEqual([
      false,
      true,
      true,
      true,
    ]);
  });

  it("has pictures of all fits and a row for each in its tables", () => {
    const items = withErrors([0.5, 0.4, 0.3, 0.03]).sections.flatMap((section) => section.items);
    expect(items.flatMap((item) => (item.kind === "figure" ? [item.name] : []))).toEqual([
      "fits",
      "slopes",
      "loss",
    ]);
    for (const item of items) if (item.kind === "table") expect(item.rows).toHaveLength(4);
  });
});

it("differs from the full length in size alone when it is quick", () => {
  const { network, training } = quick;
  expect({ ...network, growth: full.network.growth }).toEqual(full.network);
  const { steps, batch, schedule } = full.training;
  expect({ ...training, steps, batch, schedule }).toEqual(full.training);
});

import { beforeAll, describe, expect, it } from "vitest";
import { call, expectComplaint, json, run, temporary } from "./cli.js";

const folder = temporary();

/** One solver on one block: finite, and in the order that theory puts the figures in. */
// biome-ignore lint/suspicious/noExplicitAny: the fields are what is tested
function expectPlausible(figures: any, tolerance: number, batch: number): void {
  const { evaluations, cost, evaluationsNeeded, evaluationsOfSlowest, samples, solver } = figures;
  expect(cost).toBeCloseTo((solver === "newton" ? 3 : 1) * evaluations, 9);
  expect(evaluations).toBeGreaterThan(1);
  expect(evaluations).toBeLessThan(30);
  // Padding can take longer than all samples, and rounding differ between passes of different widths.
  expect(evaluationsNeeded).toBeGreaterThan(1);
  expect(evaluationsNeeded).toBeLessThan(evaluations + 0.5);
  expect(evaluationsOfSlowest).toBeGreaterThanOrEqual(evaluationsNeeded);
  expect(samples.reduce((sum: number, n: number) => sum + n, 0)).toBe(batch);
  const mean = samples.reduce((sum: number, n: number, i: number) => sum + n * i, 0) / batch;
  expect(evaluationsNeeded).toBeCloseTo(mean, 9);
  expect(figures.milliseconds).toBeGreaterThan(0);
  expect(figures.residual).toBeGreaterThan(0);
  // The residual is measured again in float64, the solver's own in the engine's precision.
  expect(figures.residual).toBeLessThan(1.2 * tolerance);
  expect(figures.unconverged).toBe(0);
}

// biome-ignore lint/suspicious/noExplicitAny: the fields are what is tested
function expectBenchmark(result: any, kind: string): void {
  expect(result.models.length).toBe(2);
  for (const { blocks, valueMilliseconds, jetMilliseconds } of result.models) {
    expect(valueMilliseconds).toBeGreaterThan(0);
    expect(jetMilliseconds).toBeGreaterThan(0);
    expect(blocks.map(({ block }: { block: number }) => block)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for (const { solvers, lipschitzBound, ...block } of blocks) {
      expect(block.kind).toBe(kind);
      expect(lipschitzBound).toBeGreaterThan(0);
      expect(lipschitzBound).toBeLessThan(1);
      expect(solvers.map(({ solver }: { solver: string }) => solver)).toEqual([
        "newton",
        "fixed-point",
        "anderson",
      ]);
      for (const figures of solvers) expectPlausible(figures, result.tolerance, result.batch);
    }
  }
}

describe("bench solvers", () => {
  beforeAll(async () => {
    await json(folder, "train", "--preset", "i-densenet", "--steps", "5", "--batch", "50", "--out", "run");
  }, 60_000);

  it("measures all solvers on every block of a fresh and of a trained model", async () => {
    const result = await json(folder, "bench", "solvers", "--steps", "20", "--batch", "150");
    expect(result).toMatchObject({ preset: "monotone", data: "2spirals", batch: 150, pass: 128, seed: 0 });
    expect(result.tolerance).toBeLessThan(2e-6);
    expectBenchmark(result, "monotone");
  }, 60_000);

  it("takes a run as the trained model, and a tolerance", async () => {
    const result = await json(
      folder,
      ...["bench", "solvers", "--model", "run", "--batch", "30", "--tolerance", "1e-3"],
    );
    expect(result).toMatchObject({ preset: null, data: "2spirals", batch: 30, pass: 30, tolerance: 1e-3 });
    expect(result.models[1].model).toBe("run");
    expectBenchmark(result, "residual");
  }, 60_000);

  it("prints a table for people", async () => {
    const { code, stdout } = await run(folder, "bench", "solvers", "--model", "run", "--batch", "30");
    expect(code).toBe(0);
    expect(stdout).toMatch(/ Newton +fixed point +Anderson\nblock +Lip <= +evals +cost +ms +residual/);
    expect(stdout.match(/^10 /gm)?.length).toBe(4);
    expect(stdout).not.toMatch(/NaN|undefined|Infinity/);
  }, 60_000);

  it("refuses what makes no sense in one sentence", async () => {
    const cases: [string, RegExp][] = [
      ["--model run --steps 3", /--model .* cannot be used with option .--steps/],
      ["--model nowhere", /nowhere/],
      ["--tolerance 0", /--tolerance must be a positive number/],
      ["--batch none", /--batch must be a positive whole number/],
    ];
    const complaints = await Promise.all(
      cases.map(([line]) => call(folder, "bench", "solvers", ...line.split(" "))),
    );
    cases.forEach(([, pattern], i) => {
      expectComplaint(complaints[i], pattern);
    });
  }, 60_000);
});

describe("bench profile", () => {
  it("books the calls of a step to phases and kernels", async () => {
    const result = await json(folder, ...["bench", "profile", "--warm-up", "2", "--steps", "5"]);
    expect(result.rows.every(({ ms }: { ms: number }) => ms >= 0)).toBe(true);
    const calls = (phase: string, kernel: string) =>
      result.rows.find(
        (row: { phase: string; kernel: string }) => row.phase === phase && row.kernel === kernel,
      )?.calls;
    // Ten blocks, four passes of 128 samples, four layers: one sweep for the log-determinant and one for the values.
    expect(calls("backward", "linearTransposed")).toBe(10 * 4 * 4 * 2);
    expect(calls("forward", "linear")).toBeGreaterThanOrEqual(10 * 4 * 4);
  }, 60_000);

  it("prints a table for people", async () => {
    const { code, stdout } = await run(
      folder,
      ...["bench", "profile", "--preset", "i-densenet", "--warm-up", "0", "--steps", "2"],
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/ms a step.*\nforward +[\d.]+ ms/);
    expect(stdout).not.toMatch(/NaN|undefined|Infinity/);
  }, 60_000);
});

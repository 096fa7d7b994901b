import { beforeAll, describe, expect, it } from "vitest";
import { claimsOf } from "../../reports/report.js";
import { reportOf } from "./index.js";
import { type Entry, entriesOf, full, quick, runName, seedsFrom } from "./protocol.js";
import type { Trained } from "./tables.js";

const seeds = seedsFrom(4);

describe.each([
  ["full", full, 16 + 4 + 4],
  ["quick", quick, 4 + 4 + 4],
])("the %s protocol", (_, protocol, count) => {
  it("trains every model with three seeds, in folders of their own", () => {
    const entries = entriesOf(protocol);
    expect(entries).toHaveLength(count);
    expect(seeds).toEqual([4, 5, 6]);
    const names = seeds.flatMap((seed) => entries.map((entry) => runName(entry, seed)));
    expect(new Set(names).size).toBe(3 * count);
  });

  it("changes nothing but the seed between trainings of a model", async () => {
    for (const entry of entriesOf(protocol)) {
      const [a, b] = [await entry.config(4), await entry.config(5)];
      expect([a.training.seed, b.training.seed]).toEqual([4, 5]);
      expect({ ...b.training, seed: 4 }).toEqual(a.training);
      expect(b.flow).toEqual(a.flow);
    }
  });
});

it("has the length that is asked of three seeds: a tenth in 2-D, all of the digits", async () => {
  const config = (name: string) => (entriesOf(full).find((entry) => entry.name === name) as Entry).config(0);
  expect((await config("rings-monotone-flow")).training.steps).toBe(5_000);
  expect((await config("digits-monotone-cpila")).training.steps).toBe(500);
});

describe("the report", () => {
  let trained: Trained[];
  /** The losses of i-th model, a little apart in the three seeds. */
  const spread = (mean: number, by = 0.01) => [mean - by, mean + by, mean];
  beforeAll(() => {
    const means: Record<string, number> = {
      "i-DenseNet": 3,
      "residual, CPila": 2.9,
      "monotone, CLipSwish": 2.8,
      "Monotone Flow": 2.7,
    };
    trained = entriesOf(quick).map((entry, i) => ({
      ...entry,
      losses: spread(means[entry.model] ?? 1 / (i + 1)),
    }));
    // The last fit, two monotone blocks, is far below the others.
    trained[trained.length - 1] = { ...trained[trained.length - 1], losses: [1e-4, 2e-4, 1e-4] };
  });
  const verdicts = (all: readonly Trained[]) =>
    claimsOf(reportOf(all, quick, seeds, true)).map(({ holds }) => holds);
  const withLosses = (name: string, losses: readonly number[]) =>
    trained.map((entry) => ("name" in entry && entry.name === name ? { ...entry, losses } : entry));

  it("says who is ahead", () => expect(verdicts(trained)).toEqual([true, true, true, true]));

  it("says so of no lead that another seed could have turned", () => {
    expect(verdicts(withLosses("moons-monotone-flow", [2.4, 3.1, 2.9]))).toEqual([false, true, true, true]);
    expect(verdicts(withLosses("digits-monotone-cpila", [2.9, 2.89, 2.91]))).toEqual([
      true,
      false,
      false,
      true,
    ]);
    expect(verdicts(withLosses("staircase-d-monotone-actnorm", [1, 1, 1]))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(verdicts(withLosses("moons-monotone-flow", [2.7, Number.NaN, 2.7]))[0]).toBe(false);
  });

  it("names the data that a claim fails on, and every seed's lead", () => {
    const report = reportOf(withLosses("moons-monotone-flow", [3.1, 3.11, 3.1]), quick, seeds, true);
    const [claim] = claimsOf(report);
    expect(claim.detail).toMatch(/^Not so: moons, Monotone Flow with i-DenseNet: behind, −0\.1033 ± 0\.00/);
    const tables = report.sections.flatMap(({ items }) => items.filter((item) => item.kind === "table"));
    expect(tables[0].rows[0]).toEqual([
      "2spirals",
      "Monotone Flow with i-DenseNet",
      "2.700 ± 0.006 and 3.000 ± 0.006",
      "0.3000, 0.3000, 0.3000",
      "0.3000 ± 0.0000",
      "ahead",
    ]);
    expect(tables[0].rows[1][5]).toBe("behind");
  });
});

import { describe, expect, it } from "vitest";
import { ablation, cellsOf, configOf, full, iDenseNet, monotoneFlows, nameOf, quick } from "./protocol.js";

describe.each([
  ["full", full, 16 + 2 * 4 + 2 * 4],
  ["quick", quick, 16 + 4 + 2 * 2],
])("the %s protocol", (_, protocol, count) => {
  const cells = cellsOf(protocol);

  it("trains every model once, in a folder of its own", () => {
    const names = cells.map(nameOf);
    expect(names).toHaveLength(count);
    expect(new Set(names).size).toBe(count);
    for (const name of names) expect(name).toMatch(/^[\w-]+$/);
    for (const data of protocol.ablation) {
      for (const model of ablation) expect(names).toContain(nameOf({ data, model, recipe: "original" }));
    }
  });

  it("gives every model ten networks that differ in the activation alone, and one rank", () => {
    const configs = cells.map((cell) => configOf(cell, protocol, 3));
    for (const [i, { flow, threads, training }] of configs.entries()) {
      expect(flow.bijections).toHaveLength(10);
      expect(threads).toBe(1);
      const original = { steps: protocol.steps, batch: 500, seed: 3, learningRate: 1e-3, l2: 1e-5 };
      if (cells[i].recipe === "original") expect(training).toEqual(original);
      else expect(training).toMatchObject({ steps: protocol.steps, batch: 500, seed: 3, averaging: 0.99 });
    }
    const networks = configs.flatMap(({ flow }) =>
      flow.bijections.map((b) => JSON.stringify({ ...("network" in b && b.network), activation: "" })),
    );
    expect(new Set(networks).size).toBe(1);
  });
});

it("is that of the original study at full length", () => {
  const { flow } = configOf({ data: "rings", model: monotoneFlows, recipe: "original" }, full, 0);
  const [first] = flow.bijections;
  expect(full.steps).toBe(50_000);
  expect(first).toMatchObject({
    kind: "monotone",
    network: {
      depth: 3,
      growth: 16,
      activation: "CPila",
      coeff: 0.9,
      lip: 0.98,
      learnConcatenationFrom: 25_000,
    },
  });
  const kinds = (formulation: (typeof ablation)[number]["formulation"]) =>
    configOf(
      { data: "rings", model: { formulation, activation: "CPila" }, recipe: "original" },
      full,
      0,
    ).flow.bijections.map((b) => b.kind);
  expect(new Set(kinds("residual"))).toEqual(new Set(["residual"]));
  expect(kinds("inverse residual pair").slice(0, 4)).toEqual([
    "residual",
    "inverse-residual",
    "residual",
    "inverse-residual",
  ]);
  expect(nameOf({ data: "rings", model: iDenseNet, recipe: "original" })).toBe("rings-i-densenet");
});

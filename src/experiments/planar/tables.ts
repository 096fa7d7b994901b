/** The numbers of the comparison and of the ablation, and the claims that they decide. */

import { check } from "../../errors.js";
import type { Claim, TableItem, Text } from "../../reports/report.js";
import { inWords as estimate, fine, isClear, leastBy, fixed as nats } from "../estimate.js";
import { activations, formulations, titleOf } from "./protocol.js";
import { advantage, type Result } from "./results.js";

/** Both models on one data set. */
export interface Pair {
  readonly data: string;
  readonly baseline: Result;
  readonly monotone: Result;
}

export const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

export function comparisonTable(pairs: readonly Pair[]): TableItem {
  const average = (of: (pair: Pair) => number) => nats(mean(pairs.map(of)));
  return {
    kind: "table",
    columns: ["data", "entropy", "i-DenseNet", "gap", "Monotone Flow", "gap", "Monotone Flow lower by"],
    rows: [
      ...pairs.map(({ data, baseline, monotone }) => [
        data,
        nats(monotone.entropy),
        estimate(baseline.loss),
        nats(baseline.gap),
        estimate(monotone.loss),
        nats(monotone.gap),
        fine(advantage(monotone, baseline)),
      ]),
      [
        "average",
        average((p) => p.monotone.entropy),
        average((p) => p.baseline.loss.value),
        average((p) => p.baseline.gap),
        average((p) => p.monotone.loss.value),
        average((p) => p.monotone.gap),
        nats(mean(pairs.map((p) => advantage(p.monotone, p.baseline).value)), 4),
      ],
    ],
    caption:
      "Test loss in nats, with its standard error over 10,000 test samples, and its gap to the entropy of the data, " +
      "the least possible loss. The last column compares the two models sample by sample: its error is the paired test " +
      "error, that of the test samples alone. What another training seed would have given is in the reproduction `seeds`.",
  };
}

export function modelTable(results: readonly Result[]): TableItem {
  return {
    kind: "table",
    columns: ["data", "model", "divergence (nats)", "parameters"],
    rows: results.map((r) => [
      r.cell.data,
      titleOf(r.cell.model),
      fine(r.divergence),
      r.parameters.toLocaleString("en"),
    ]),
    caption:
      "Kullback-Leibler divergence of the data from the model, from log q(x) − log p(x) at the test samples with the " +
      "exact density q: the same gap with less noise; and learned parameters.",
  };
}

/** The model with that formulation and activation. */
function resultFor(results: readonly Result[], formulation: string, activation: string): Result {
  const found = results.find(
    ({ cell: { model } }) => model.formulation === formulation && model.activation === activation,
  );
  check(found !== undefined, "internal", `the ablation has no model of ${formulation} and ${activation}`);
  return found;
}

/** Rows: formulations; columns: activations; the gap to the entropy in each cell. */
export function ablationTable(data: string, results: readonly Result[]): TableItem {
  const cell = (formulation: string, activation: string) => {
    const { loss, gap } = resultFor(results, formulation, activation);
    return `${estimate(loss)} (gap ${nats(gap)})`;
  };
  return {
    kind: "table",
    columns: [data, ...activations],
    rows: formulations.map((f) => [f, ...activations.map((a) => cell(f, a))]),
    caption:
      `The ablation on ${data}: test loss in nats and its gap to the entropy. Residual with CLipSwish is ` +
      "i-DenseNet, monotone with CPila is Monotone Flow; every model has ten networks.",
  };
}

/** Of one training seed: lower on all data sets by more than two paired test errors. */
export function lowerClaim(pairs: readonly Pair[]): Claim {
  const leads = pairs.map(({ data, baseline, monotone }) => ({ data, by: advantage(monotone, baseline) }));
  const unclear = leads.filter(({ by }) => !isClear(by));
  const closest = leastBy(leads, ({ by }) => by.value);
  const list = (some: typeof leads) => some.map(({ data, by }) => `${data} (${fine(by)} nats)`).join(", ");
  return {
    kind: "check",
    claim:
      `With this training seed, Monotone Flow's test loss is below i-DenseNet's on all ${pairs.length} data sets, ` +
      "by more than two paired test errors.",
    holds: unclear.length === 0,
    detail: unclear.length === 0 ? `The smallest lead: ${list([closest])}.` : `Not on ${list(unclear)}.`,
  };
}

/** Both recipes side by side, in divergences. */
export function recipeTable(original: readonly Pair[], improved: readonly Pair[]): TableItem {
  const rows = improved.map((better) => ({
    better,
    plain: original.find(({ data }) => data === better.data) as Pair,
  }));
  const average = (of: (row: (typeof rows)[number]) => Result) =>
    nats(mean(rows.map((row) => of(row).divergence.value)), 4);
  return {
    kind: "table",
    columns: [
      "data",
      "i-DenseNet",
      "better recipe",
      "Monotone Flow",
      "better recipe",
      "Monotone Flow lower by",
    ],
    rows: [
      ...rows.map(({ better, plain }) => [
        better.data,
        fine(plain.baseline.divergence),
        fine(better.baseline.divergence),
        fine(plain.monotone.divergence),
        fine(better.monotone.divergence),
        fine(advantage(better.monotone, better.baseline)),
      ]),
      [
        "average",
        average(({ plain }) => plain.baseline),
        average(({ better }) => better.baseline),
        average(({ plain }) => plain.monotone),
        average(({ better }) => better.monotone),
        nats(mean(improved.map((p) => advantage(p.monotone, p.baseline).value)), 4),
      ],
    ],
    caption:
      "Kullback-Leibler divergence of the data from the model, in nats, with the original's training and with the " +
      "better recipe, after as many steps; and by how much Monotone Flow's loss is lower where both have the better " +
      "recipe, with its paired test error.",
  };
}

export function gapClaim(pairs: readonly Pair[], most: number): Claim {
  const gap = mean(pairs.map(({ monotone }) => monotone.gap));
  const divergence = mean(pairs.map(({ monotone }) => monotone.divergence.value));
  return {
    kind: "check",
    claim: `The average gap of Monotone Flow to the entropy is below ${most} nats.`,
    holds: gap < most,
    detail: `It is ${nats(gap)} nats; the divergence, which has less noise, is ${nats(divergence)} on average.`,
  };
}

/** What the ablation on one data set says. */
export function ablationInWords(data: string, results: readonly Result[]): Text {
  const gapOf = (formulation: string, activation: string) =>
    nats(resultFor(results, formulation, activation).gap);
  const best = leastBy(results, ({ loss }) => loss.value);
  const { formulation, activation } = best.cell.model;
  return {
    kind: "text",
    text:
      `On ${data}, i-DenseNet is ${gapOf("residual", "CLipSwish")} nats above the entropy. CPila alone makes this ` +
      `${gapOf("residual", "CPila")}, monotone blocks alone ${gapOf("monotone", "CLipSwish")}, both together ` +
      `${gapOf("monotone", "CPila")}. The best of the six is ${formulation} with ${activation}.`,
  };
}

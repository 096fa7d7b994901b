/** The numbers of the image reproduction, and the claims that they decide. */

import { LIMITS } from "../../flows/certificate.js";
import type { Claim, TableItem } from "../../reports/report.js";
import { inWords as estimate, fine, fixed, isClear, leastBy } from "../estimate.js";
import { activations, formulations, models, monotoneFlows, titleOf } from "./protocol.js";
import { advantage, difference, type Result, resultFor, type TaskResult } from "./results.js";

/** Rows: formulations; columns: activations. */
export function ablationTable({ task, tested, results }: TaskResult): TableItem {
  return {
    kind: "table",
    columns: [task.title, ...activations],
    rows: formulations.map((formulation) => [
      formulation,
      ...activations.map((activation) => estimate(resultFor(results, { formulation, activation }).loss)),
    ]),
    caption:
      `Test loss in bits per dimension, with its standard error over ${tested.toLocaleString("en")} test images. Residual ` +
      "with CLipSwish is i-DenseNet, monotone with CPila is Monotone Flow.",
  };
}

export function modelTable({ results }: TaskResult): TableItem {
  const best = resultFor(results, monotoneFlows);
  return {
    kind: "table",
    columns: ["model", "bits/dim", "higher by", "parameters", "evaluations", "missed"],
    rows: results.map((result) => [
      titleOf(result.model),
      estimate(result.loss),
      result === best ? "" : fine(advantage(best, result)),
      result.parameters.toLocaleString("en"),
      result.model.formulation === "residual"
        ? "none"
        : result.evaluations.map((count) => count.toFixed(1)).join(", "),
      result.unconverged.toLocaleString("en"),
    ]),
    caption:
      "Higher by: bits per dimension above Monotone Flow, image by image; its error is the paired test error, that of the test " +
      "images alone. CLipSwish learns a number a layer, CPila none. Evaluations: of a network in one solve, forwards and transposed, at the start and at the end of training. " +
      "Missed: solves of an image in a block that ended above their tolerance, over the whole training.",
  };
}

/** With one activation and one training seed, monotone against residual. */
export function lowerClaim({ task, results }: TaskResult, activation: (typeof activations)[number]): Claim {
  const [residual, monotone] = formulations.map((formulation) =>
    resultFor(results, { formulation, activation }),
  );
  const lead = advantage(monotone, residual);
  return {
    kind: "check",
    claim:
      `${task.title}, with this training seed: the loss of monotone blocks is below that of residual blocks at equal size and ` +
      `steps, both with ${activation}, by more than two paired test errors.`,
    holds: isClear(lead),
    detail: `lower by ${fine(lead)} bits/dim: ${fixed(monotone.loss.value)} against ${fixed(residual.loss.value)}`,
  };
}

/** Each change alone, and both, against i-DenseNet. */
export function changesClaim({ task, results }: TaskResult): Claim {
  const [base, activation, formulation, both] = models.map((model) => resultFor(results, model));
  const best = leastBy([formulation, activation], ({ loss }) => loss.value);
  const leads = [
    ["monotone blocks alone", advantage(formulation, base)],
    ["CPila alone", advantage(activation, base)],
    ["both", advantage(both, base)],
    ["both instead of the better one", advantage(both, best)],
  ] as const;
  return {
    kind: "check",
    claim:
      `${task.title}, with this training seed: monotone blocks help, CPila helps, and both together help most, each by more ` +
      "than two paired test errors.",
    holds: leads.every(([, lead]) => isClear(lead)),
    detail: `lower than i-DenseNet: ${leads.map(([name, lead]) => `${name} ${fine(lead)}`).join(", ")} bits/dim`,
  };
}

/** The limit is that of `verify`, in the range of a pixel: it fails long before a pixel would change. */
export function reconstructionClaim({ task, images, results }: TaskResult): Claim {
  const { reconstructions } = results[0];
  const most = LIMITS.roundTrip * images.levels;
  return {
    kind: "check",
    claim: `${task.title}: images come back from their latents to ${LIMITS.roundTrip} of a pixel's range, ${Number(most.toPrecision(2))} levels.`,
    holds: results.every(({ largestError }) => largestError < most),
    detail:
      `the largest error of any pixel of ${reconstructions} test images, in levels: ` +
      results.map(({ model, largestError }) => `${titleOf(model)} ${largestError.toPrecision(2)}`).join("; "),
  };
}

export type Exact = Result & { readonly exact: readonly number[] };
export const isExact = (result: Result): result is Exact => result.exact !== null;

/** So many standard errors off, a mean of unbiased estimates is once in 16,000. */
const LIMIT = 4;
/** Bits per dimension that the standard error may be: an estimate that scatters more would prove nothing. */
const LARGEST_ERROR = 0.01;

export function exactTable(results: readonly Exact[]): TableItem {
  return {
    kind: "table",
    columns: ["model", "estimate", "exact", "estimate − exact", "spread of one image"],
    rows: results.map((result) => {
      const gap = difference(result.losses, result.exact);
      return [
        titleOf(result.model),
        fixed(result.loss.value, 5),
        fixed(mean(result.exact), 5),
        estimate(gap, 5),
        (gap.standardError * Math.sqrt(result.losses.length)).toFixed(4),
      ];
    }),
    caption:
      "Test loss in bits per dimension: by one draw of the estimate for each image and block, and by the whole Jacobian of every " +
      "block; the mean difference with its standard error, and the standard deviation of the difference for one image.",
  };
}

export function exactClaim({ task }: TaskResult, results: readonly Exact[]): Claim {
  const gaps = results.map(({ model, losses, exact }) => {
    const gap = difference(losses, exact);
    return { model, gap, distance: Math.abs(gap.value) / gap.standardError };
  });
  const worst = leastBy(gaps, ({ distance }) => -distance);
  return {
    kind: "check",
    claim: `${task.title}: the estimated log-determinants agree with the exact ones within ${LIMIT} standard errors, which are below ${LARGEST_ERROR} bits/dim.`,
    holds:
      gaps.every(({ distance }) => distance <= LIMIT) &&
      gaps.every(({ gap }) => gap.standardError < LARGEST_ERROR),
    detail: `the farthest is ${titleOf(worst.model)}: ${estimate(worst.gap, 5)} bits/dim, ${worst.distance.toFixed(1)} standard errors`,
  };
}

export const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

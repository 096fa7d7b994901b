/** The numbers of the image reproduction, and the claims that they decide. */
import type { Claim, TableItem } from "../../reports/report.js";
import { activations, formulations, models, monotoneFlows, titleOf } from "./protocol.js";
import { advantage, difference, type Estimate, type Result, resultFor, type TaskResult } from "./results.js";

export const bits = (value: number, digits = 3) => value.toFixed(digits).replace("-", "−");
const estimate = ({ value, standardError }: Estimate, digits = 3) =>
  `${bits(value, digits)} ± ${standardError.toFixed(digits)}`;
/** Differences on the same images are known to a digit more. */
const fine = (value: Estimate) => estimate(value, 4);

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
    columns: [
      "model",
      "bits/dim",
      "behind by",
      "parameters",
      "ms a step",
      "images/s",
      "evaluations",
      "missed",
    ],
    rows: results.map((result) => [
      titleOf(result.model),
      estimate(result.loss),
      result === best ? "" : fine(advantage(best, result)),
      result.parameters.toLocaleString("en"),
      result.msPerStep.toFixed(0),
      result.imagesPerSecond.toFixed(0),
      result.model.formulation === "residual"
        ? "none"
        : result.evaluations.map((count) => count.toFixed(1)).join(", "),
      result.unconverged.toLocaleString("en"),
    ]),
    caption:
      "Behind by: bits per dimension behind Monotone Flow, image by image, so the error is smaller. CLipSwish learns a number " +
      "a layer, CPila none. Times are those of one core while other models were trained on the other cores: the median of a " +
      "training step. Evaluations: of a network in one solve, forwards and transposed, at the start and at the end of training. " +
      "Missed: solves of an image in a block that ended above their tolerance, over the whole training.",
  };
}

/** With one activation, monotone against residual. */
export function aheadClaim({ task, results }: TaskResult, activation: (typeof activations)[number]): Claim {
  const [residual, monotone] = formulations.map((formulation) =>
    resultFor(results, { formulation, activation }),
  );
  const lead = advantage(monotone, residual);
  return {
    kind: "check",
    claim: `${task.title}: monotone blocks are ahead of residual blocks at equal size and steps, both with ${activation}.`,
    holds: lead.value > 0,
    detail: `ahead by ${fine(lead)} bits/dim: ${bits(monotone.loss.value)} against ${bits(residual.loss.value)}`,
  };
}

/** Each change alone, and both, against i-DenseNet. */
export function changesClaim({ task, results }: TaskResult): Claim {
  const [base, ofActivation, ofFormulation, both] = models.map((model) =>
    advantage(resultFor(results, model), resultFor(results, models[0])),
  );
  const most = Math.max(ofActivation.value, ofFormulation.value);
  return {
    kind: "check",
    claim: `${task.title}: monotone blocks help, CPila helps, and both together help most.`,
    holds: Math.min(ofActivation.value, ofFormulation.value) > base.value && both.value > most,
    detail:
      `ahead of i-DenseNet: monotone blocks alone ${fine(ofFormulation)}, CPila alone ${fine(ofActivation)}, ` +
      `both ${fine(both)} bits/dim`,
  };
}

export function reconstructionClaim({ task, results }: TaskResult): Claim {
  const { reconstructions } = results[0];
  const most = Math.max(...results.map(({ largestError }) => largestError));
  return {
    kind: "check",
    claim: `${task.title}: images come back from their latents with less than one pixel level of error.`,
    holds: most < 1,
    detail:
      `the largest error of any pixel of ${reconstructions} test images: ` +
      results.map(({ model, largestError }) => `${titleOf(model)} ${largestError.toPrecision(2)}`).join("; "),
  };
}

export type Exact = Result & { readonly exact: readonly number[] };
export const isExact = (result: Result): result is Exact => result.exact !== null;

/** So many standard errors off, a mean of unbiased estimates is once in 16,000. */
const LIMIT = 4;

export function exactTable(results: readonly Exact[]): TableItem {
  return {
    kind: "table",
    columns: ["model", "estimate", "exact", "estimate − exact", "spread of one image"],
    rows: results.map((result) => {
      const gap = difference(result.losses, result.exact);
      return [
        titleOf(result.model),
        bits(result.loss.value, 5),
        bits(mean(result.exact), 5),
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
  const gaps = results.map((result) => difference(result.losses, result.exact));
  const distances = gaps.map(({ value, standardError }) => Math.abs(value) / standardError);
  const worst = distances.indexOf(Math.max(...distances));
  return {
    kind: "check",
    claim: `${task.title}: the estimated log-determinants agree with the exact ones within ${LIMIT} standard errors.`,
    holds: distances.every((distance) => distance <= LIMIT),
    detail: `the farthest is ${titleOf(results[worst].model)}: ${estimate(gaps[worst], 5)} bits/dim, ${distances[worst].toFixed(1)} standard errors`,
  };
}

export const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** The losses of every model over the training seeds, and who is ahead. */
import { check } from "../../errors.js";
import type { Claim, TableItem } from "../../reports/report.js";
import { type Estimate, fine, fixed, inWords, leastBy, meanOf, standing } from "../estimate.js";
import type { Entry } from "./protocol.js";

/** A model on some data, and its test losses, one a training seed. */
export interface Trained extends Pick<Entry, "group" | "data" | "model"> {
  readonly losses: readonly number[];
}

/** Two models on the same data, compared seed by seed. */
export interface Contrast {
  readonly data: string;
  readonly lower: Trained;
  readonly higher: Trained;
  /** By how much the loss of `lower` is lower, a number a seed. */
  readonly leads: readonly number[];
}

export function contrast(lower: Trained, higher: Trained): Contrast {
  return { data: lower.data, lower, higher, leads: higher.losses.map((loss, i) => loss - lower.losses[i]) };
}

/** The entry of that group, data and model. */
export function find(all: readonly Trained[], data: string, model: string): Trained {
  const found = all.find((entry) => entry.data === data && entry.model === model);
  check(found !== undefined, "internal", `there is no model ${model} on ${data}`);
  return found;
}

export const leadOf = ({ leads }: Contrast): Estimate => meanOf(leads);

const each = (values: readonly number[], digits: number) =>
  values.map((value) => fixed(value, digits)).join(", ");

export function contrastTable(contrasts: readonly Contrast[], unit: string): TableItem {
  return {
    kind: "table",
    columns: ["data", "compared", "losses", "lead of each seed", "mean lead", "verdict"],
    rows: contrasts.map((c) => [
      c.data,
      `${c.lower.model} with ${c.higher.model}`,
      `${inWords(meanOf(c.lower.losses))} and ${inWords(meanOf(c.higher.losses))}`,
      each(c.leads, 4),
      fine(leadOf(c)),
      standing(c.leads),
    ]),
    caption:
      `Test losses in ${unit}: means over the training seeds with their standard errors. The lead of a seed is the difference ` +
      "of both models on that seed's test samples. Ahead and behind: by more than two standard errors of the mean lead, " +
      "level: less than that.",
  };
}

/** The claim that the first model of every contrast is ahead. */
export function aheadClaim(claim: string, contrasts: readonly Contrast[], unit: string): Claim {
  const others = contrasts.filter(({ leads }) => standing(leads) !== "ahead");
  const least = leastBy(contrasts, (contrast) => leadOf(contrast).value);
  const words = (c: Contrast) =>
    `${c.data}, ${c.lower.model} with ${c.higher.model}: ${standing(c.leads)}, ${fine(leadOf(c))} ${unit}`;
  return {
    kind: "check",
    claim,
    holds: others.length === 0,
    detail:
      others.length === 0
        ? `The smallest lead: ${words(least)}.`
        : `Not so: ${others.map(words).join("; ")}.`,
  };
}

/** Errors of fits, which span powers of ten: geometric means, and the lead as a factor. */
export function fitTable(fits: readonly Trained[]): TableItem {
  return {
    kind: "table",
    columns: ["flow", "mean squared error of each seed", "geometric mean"],
    rows: fits.map(({ model, losses }) => [
      model,
      losses.map((loss) => loss.toPrecision(3)).join(", "),
      Math.exp(meanOf(losses.map(Math.log)).value).toPrecision(3),
    ]),
    caption: "Mean squared error of the fits to the staircase, each training seed.",
  };
}

/** Two monotone blocks, the last of the fits, against the best of the others of every seed. */
export function fitClaim(fits: readonly Trained[]): Claim {
  const monotone = fits[fits.length - 1];
  const logs = monotone.losses.map((loss, i) => {
    const best = Math.min(...fits.slice(0, -1).map(({ losses }) => losses[i]));
    return Math.log(best / loss);
  });
  const factors = logs.map((log) => Math.exp(log).toPrecision(3)).join(", ");
  return {
    kind: "check",
    claim: `1-D: ${monotone.model} is ahead of the best of the others, by the logarithm of the error.`,
    holds: standing(logs) === "ahead",
    detail: `lower by the factors ${factors}; logarithm ${inWords(meanOf(logs), 2)}`,
  };
}

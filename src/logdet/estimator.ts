/** The declaration of stochastic log-determinants: the roulette's law, exact terms, probes. */
import { z } from "zod";
import { option } from "../options.js";

const terms = z.number().int().nonnegative().max(10_000);

const shape = {
  law: option(
    z.enum(["geometric", "poisson"]),
    "law of the number of terms beyond the exact ones in training; elsewhere the certified bound says how many there are",
  ),
  rate: option(
    z.number().positive().max(1_000),
    "the mean of the Poisson law, or the geometric law's chance to stop after a term",
  ),
  exactTerms: option(terms, "terms that are always computed, in training and, at least, elsewhere"),
  exactTermsInEvaluation: option(terms, "terms that are always computed outside of training, at least"),
  probe: option(z.enum(["rademacher", "normal"]), "the distribution of the probes"),
  probes: option(z.number().int().positive().max(64), "probes a sample, whose estimates are averaged"),
  tolerance: option(
    z.number().positive(),
    "the solvers' tolerance in training: the largest residual over the largest number of a sample, or 1",
  ),
};

const geometric = ({ law, rate }: { law: string; rate: number }) => law !== "geometric" || rate <= 1;
const chance = {
  path: ["rate"],
  message: "a geometric law's rate is the chance to stop after a term, so at most 1",
};

export const estimatorSchema = z.strictObject(shape).refine(geometric, chance);

/** Poisson(2) roulette behind 10 exact terms in training; in evaluation at least 20 are exact (`boundedRoulette`). */
export const estimatorOptions = z
  .strictObject({
    law: shape.law.default("poisson"),
    rate: shape.rate.default(2),
    exactTerms: shape.exactTerms.default(10),
    exactTermsInEvaluation: shape.exactTermsInEvaluation.default(20),
    probe: shape.probe.default("rademacher"),
    probes: shape.probes.default(1),
    tolerance: shape.tolerance.default(1e-5),
  })
  .refine(geometric, chance);

/** How log-determinants are estimated; all numbers are whole but rate and tolerance. */
export interface Estimator {
  /**
   * Law of the number of terms beyond the exact ones in training; elsewhere the certified bound says how many there
   * are.
   */
  readonly law: "geometric" | "poisson";
  /** The mean of the Poisson law, or the geometric law's chance to stop after a term (above 0 and at most 1000). */
  readonly rate: number;
  /** Terms that are always computed, in training and, at least, elsewhere (0 to 10000). */
  readonly exactTerms: number;
  /** Terms that are always computed outside of training, at least (0 to 10000). */
  readonly exactTermsInEvaluation: number;
  /** The distribution of the probes. */
  readonly probe: "rademacher" | "normal";
  /** Probes a sample, whose estimates are averaged (1 to 64). */
  readonly probes: number;
  /** The solvers' tolerance in training: the largest residual over the largest number of a sample, or 1 (above 0). */
  readonly tolerance: number;
}

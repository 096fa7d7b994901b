/** The declaration of stochastic log-determinants: the roulette's law, exact terms, probes. */
import { z } from "zod";

const terms = z.number().int().nonnegative().max(10_000);

export const estimatorSchema = z
  .strictObject({
    /** Of the terms beyond the exact ones in training; elsewhere `boundedRoulette` says how many there are. */
    law: z.enum(["geometric", "poisson"]),
    /** The mean of the Poisson law, or the geometric law's chance to stop after a term. */
    rate: z.number().positive().max(1_000),
    /** Terms that are always computed, in training and, at least, elsewhere. */
    exactTerms: terms,
    exactTermsInEvaluation: terms,
    probe: z.enum(["rademacher", "normal"]),
    /** Probes a sample, whose estimates are averaged. */
    probes: z.number().int().positive().max(64),
    /** The solvers' tolerance in training: the largest residual over the largest number of a sample, or 1. */
    tolerance: z.number().positive(),
  })
  .refine(({ law, rate }) => law !== "geometric" || rate <= 1, {
    path: ["rate"],
    message: "a geometric law's rate is the chance to stop after a term, so at most 1",
  });

export type Estimator = Readonly<z.infer<typeof estimatorSchema>>;

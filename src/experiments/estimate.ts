/**
 * Numbers with an error, and when one model is ahead of another.
 *
 * A difference between two models has two errors. The *paired test error* is that of the test sample, the same for
 * both models, row by row: it says nothing about what another training would have given. The *error over training
 * seeds* comes from trainings that differ in all random numbers: weights, batches, test samples. "Ahead" is said of the
 * second alone, and of at least three seeds.
 */
export interface Estimate {
  readonly value: number;
  readonly standardError: number;
}

/** So many standard errors away from zero a difference counts. */
export const CLEAR = 2;
/** Training seeds that "ahead" asks for. */
export const FEWEST_SEEDS = 3;

/** Mean of independent numbers and its standard error; of a single one the error is not known: NaN. */
export function meanOf(values: readonly number[]): Estimate {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return { value: mean, standardError: Math.sqrt(variance / values.length) };
}

/** Whether a difference is above zero by more than two standard errors; never where the error is not known. */
export const isClear = ({ value, standardError }: Estimate): boolean => value > CLEAR * standardError;

/** What the leads of one model over another, one a training seed, say. */
export function standing(leads: readonly number[]): "ahead" | "level" | "behind" | "not known" {
  const lead = meanOf(leads);
  if (leads.length < FEWEST_SEEDS || !Number.isFinite(lead.standardError)) return "not known";
  if (isClear(lead)) return "ahead";
  return isClear({ ...lead, value: -lead.value }) ? "behind" : "level";
}

/** The item with the least number; one that is not a number comes before all others, so that nothing passes it over. */
export function leastBy<Item>(items: readonly Item[], number: (item: Item) => number): Item {
  return items.reduce((a, b) => (number(a) <= number(b) || Number.isNaN(number(a)) ? a : b));
}

/** A number with that many decimals and a true minus sign. */
export const fixed = (value: number, digits = 3) => value.toFixed(digits).replace("-", "−");

/** "2.653 ± 0.007"; where the error is not known the number alone. */
export function inWords({ value, standardError }: Estimate, digits = 3): string {
  const known = Number.isFinite(standardError);
  return known ? `${fixed(value, digits)} ± ${standardError.toFixed(digits)}` : fixed(value, digits);
}

/** Differences of models on the same samples are known to a digit more. */
export const fine = (value: Estimate) => inWords(value, 4);

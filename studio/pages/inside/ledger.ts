/** How log p(x) of one point comes about: the terms that it is the sum of, rounded so that what is shown adds up. */
import type { Term } from "../../library.js";

export interface Entry {
  /** Of the term: `base`, `block 3 (monotone)`, `standardisation`. */
  readonly name: string;
  /** Of the term, in units of the last decimal. */
  readonly units: number;
  /** The sum of all terms before it, in these units. */
  readonly before: number;
}

export interface Ledger {
  readonly entries: readonly Entry[];
  /** log p(x), in units of the last decimal: the sum of all entries. */
  readonly total: number;
}

/**
 * The terms of the point with so many decimals. Running sums are rounded, and a term is the difference of two: so they add
 * up to log p(x) as it is shown, and none is off by more than a unit. Null where the point has no log p(x) that is finite.
 */
export function ledgerOf(terms: readonly Term[], i: number, decimals: number): Ledger | null {
  const unit = 10 ** decimals;
  const entries: Entry[] = [];
  let sum = 0;
  let before = 0;
  for (const { name, values } of terms) {
    sum += values[i];
    const after = Math.round(sum * unit);
    entries.push({ name, units: after - before, before });
    before = after;
  }
  return Number.isFinite(sum) ? { entries, total: before } : null;
}

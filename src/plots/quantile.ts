import { median as medianOf, quantileSorted } from "d3-array";

/** The finite values in ascending order. */
export function sorted(values: Iterable<number>): Float64Array {
  return Float64Array.from(values).filter(Number.isFinite).sort();
}

/** The `q` quantile (0 to 1) of ascending values, linear between neighbours; NaN of none. */
export const quantile = (ascending: ArrayLike<number>, q: number): number =>
  quantileSorted(ascending as number[], q) ?? Number.NaN;

/** The median of values in any order, NaN left out: of an even number the mean of the two in the middle. NaN of none. */
export const median = (values: Iterable<number>): number => medianOf(values) ?? Number.NaN;

/** The finite values in ascending order. */
export function sorted(values: Iterable<number>): Float64Array {
  return Float64Array.from(values).filter(Number.isFinite).sort();
}

/** The `q` quantile (0 to 1) of ascending values, linear between neighbours; NaN of none. */
export function quantile(ascending: ArrayLike<number>, q: number): number {
  const at = q * (ascending.length - 1);
  const low = Math.floor(at);
  const next = Math.min(low + 1, ascending.length - 1);
  return ascending[low] + (at - low) * (ascending[next] - ascending[low]);
}

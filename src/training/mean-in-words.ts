/** A mean and its standard error in words, where they are numbers: of a single row there is no standard error. */
export function meanInWords(mean: number, standardError: number, unit: string, rows: number): string {
  if (!Number.isFinite(mean)) return "not known";
  const value = mean.toFixed(4);
  if (rows === 1) return `${value} ${unit} (one row: no standard error)`;
  if (!Number.isFinite(standardError)) return `${value} ${unit} (standard error not known)`;
  return `${value} ± ${standardError.toFixed(4)} ${unit}`;
}

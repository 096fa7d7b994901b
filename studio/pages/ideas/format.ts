/** A number as text with so many decimals, and a minus sign that is one. */
export const fixed = (value: number, decimals = 2): string =>
  (Number(value.toFixed(decimals)) === 0 ? 0 : value).toFixed(decimals).replace("-", "−");

/** A number of any size in three digits. */
export const short = (value: number): string =>
  Math.abs(value) >= 1e4 || (value !== 0 && Math.abs(value) < 1e-3)
    ? value.toExponential(1).replaceAll("-", "−")
    : Number(value.toPrecision(3)).toString().replace("-", "−");

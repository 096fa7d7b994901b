/** Ticks of a logarithmic axis: over several powers of ten at these alone, else at 1, 2 and 5 times them. */

export interface Tick {
  readonly value: number;
  readonly label: string;
}

/** @param most about how many labels there is room for (default 10) */
export function logTicks([low, high]: readonly [number, number], most = 10): Tick[] {
  const inside = (value: number) => value >= low * 0.999 && value <= high * 1.001;
  const powers = Array.from({ length: 61 }, (_, i) => i - 30);
  const fine = powers.flatMap((n) => [1, 2, 5].map((step) => step * 10 ** n)).filter(inside);
  if (high / low <= 1e3 && fine.length <= most) {
    return fine.map((value) => ({ value, label: String(Number(value.toPrecision(3))).replace("-", "−") }));
  }
  const stride = Math.ceil(Math.log10(high / low) / most);
  return powers
    .filter((n) => n % stride === 0 && inside(10 ** n))
    .map((n) => ({ value: 10 ** n, label: `10${superscript(n)}` }));
}

const superscript = (n: number) =>
  String(n).replace(/[-\d]/g, (c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(c)]));

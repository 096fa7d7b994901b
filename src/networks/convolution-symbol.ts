/** The norm of a circular 3 x 3 convolution, by its symbol K at the frequencies of tori (`convolutionNormBound`). */
import { SymmetricBand } from "./symmetric-band.js";
import type { TapProducts } from "./tap-products.js";

/** Squared norms are certified to a part in this many. */
export const STEP = 1e-3;
export const LANCZOS_STEPS = 60;

/** At least the squared norm on a height x width grid: the least over some tori of the largest squared norm of their symbols. */
export function squaredNormOnTori(
  products: TapProducts,
  height: number,
  width: number,
  least: number,
): number {
  const n = products.channels;
  const differences = differencesOf(products);
  const symbol = new SymmetricBand(2 * n, 2 * n - 1);
  const shifts = [0, 0.5];
  let best = Number.POSITIVE_INFINITY;
  let worst: Frequency | undefined;
  for (const p of [height + 1, height + 2])
    for (const q of [width + 1, width + 2])
      for (const a of shifts)
        for (const b of shifts) {
          let mu = least;
          const list = frequencies(p, q, a, b);
          for (const frequency of worst ? nearestFirst(list, worst) : largestFirst(list, differences, n)) {
            fillSymbol(symbol, differences, frequency, n);
            for (let step = STEP; mu < best && !symbol.isBelow(mu); step *= 2) {
              mu = Math.max(mu, symbol.largestEigenvalue(LANCZOS_STEPS)) * (1 + step);
              worst = frequency;
            }
            if (mu >= best) break;
          }
          best = Math.min(best, mu);
        }
  return best + symbol.slack(best);
}

/**
 * K K^* = sum over d of R_d exp(i d (s, t)), R_d the sum of W_k W_l^T over k - l = d, and R_-d = R_d^T: so its real
 * part is the sum of even_d cos and its imaginary one of odd_d sin, over the half of the d that `DIFFERENCES` lists.
 */
function differencesOf(products: TapProducts): Difference[] {
  const n = products.channels;
  const sums = DIFFERENCES.map(() => new Float64Array(n * n));
  for (let k = 0; k < 9; k++)
    for (let l = 0; l < 9; l++) {
      const dy = Math.floor(k / 3) - Math.floor(l / 3);
      const dx = (k % 3) - (l % 3);
      const d = DIFFERENCES.findIndex(([y, x]) => y === dy && x === dx);
      if (d >= 0) products.add(k, l, sums[d]);
    }
  return sums.map((sum, d) => {
    const transposed = (i: number) => sum[(i % n) * n + Math.floor(i / n)];
    return {
      even: d === 0 ? sum : sum.map((x, i) => x + transposed(i)),
      odd: d === 0 ? new Float64Array(n * n) : sum.map((x, i) => x - transposed(i)),
    };
  });
}

type Frequency = readonly [s: number, t: number];

/** The frequencies of a torus, one of each pair of opposites: real taps have conjugate symbols there. */
function frequencies(p: number, q: number, a: number, b: number): Frequency[] {
  return Array.from({ length: p }, (_, i) => i).flatMap((i) =>
    Array.from(
      { length: Math.floor(q / 2) + 1 },
      (_, j): Frequency => [(2 * Math.PI * (i + a)) / p, (2 * Math.PI * (j + b)) / q],
    ),
  );
}

/** In the order of their distance from one of them or its opposite, so that a torus that is no better ends early. */
function nearestFirst(list: readonly Frequency[], [s, t]: Frequency): Frequency[] {
  const away = ([u, v]: Frequency, sign: number) => 2 - Math.cos(u - sign * s) - Math.cos(v - sign * t);
  const distance = (f: Frequency) => Math.min(away(f, 1), away(f, -1));
  return [...list].sort((f, g) => distance(f) - distance(g));
}

/** In the order of their traces: the symbol of the largest norm is likely among the first. */
function largestFirst(
  list: readonly Frequency[],
  differences: readonly Difference[],
  n: number,
): Frequency[] {
  const traces = differences.map(({ even }) => {
    let trace = 0;
    for (let o = 0; o < n; o++) trace += even[o * (n + 1)];
    return trace;
  });
  const trace = (f: Frequency) => traces.reduce((sum, x, d) => sum + x * Math.cos(angle(d, f)), 0);
  return list
    .map((frequency) => ({ frequency, trace: trace(frequency) }))
    .sort((f, g) => g.trace - f.trace)
    .map(({ frequency }) => frequency);
}

/** Differences (dy, dx) of taps, one of each pair of opposites. */
const DIFFERENCES = Array.from({ length: 25 }, (_, i) => [Math.floor(i / 5) - 2, (i % 5) - 2] as const).slice(
  12,
);

/** R_d + R_d^T and R_d - R_d^T; of d = 0 R_0 and 0. */
interface Difference {
  readonly even: Float64Array;
  readonly odd: Float64Array;
}

const angle = (d: number, [s, t]: Frequency) => DIFFERENCES[d][0] * s + DIFFERENCES[d][1] * t;

/** K K^* as a real matrix of twice the size, [Re, -Im; Im, Re]. */
function fillSymbol(
  symbol: SymmetricBand,
  differences: readonly Difference[],
  frequency: Frequency,
  n: number,
): void {
  const { entries } = symbol;
  entries.fill(0);
  differences.forEach(({ even, odd }, d) => {
    const [cosine, sine] = [Math.cos(angle(d, frequency)), Math.sin(angle(d, frequency))];
    for (let o = 0; o < n; o++) {
      const upper = symbol.row(o);
      const lower = symbol.row(n + o);
      for (let c = 0; c <= o; c++) {
        entries[upper + c] += cosine * even[o * n + c];
        entries[lower + c] += sine * odd[o * n + c];
      }
    }
  });
  for (let o = 0; o < n; o++) {
    const upper = symbol.row(o);
    const lower = symbol.row(n + o);
    for (let c = 0; c <= o; c++) entries[lower + n + c] = entries[upper + c];
    // Im is antisymmetric.
    for (let c = o + 1; c < n; c++) entries[lower + c] = -entries[symbol.row(n + c) + o];
  }
}

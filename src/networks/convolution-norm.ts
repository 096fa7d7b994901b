/**
 * A certified upper bound on the spectral norm of a zero-padded 3 x 3 convolution
 * T: y[o][i][j] = sum W[o][ky][kx][c] x[c][i + ky - 1][j + kx - 1] on its grid.
 *
 * Torus. T is a compression of the circular convolution on every torus of sides P > height and Q > width, and
 * remains one when the taps are turned by phases exp(i (ky a + kx b)), which are unitary on either side of T. A
 * circular convolution is block diagonal in frequency, so
 *   |T| <= max |K(s, t)|, s = 2 pi (p + a) / P, t = 2 pi (q + b) / Q, K(s, t) = sum W[ky][kx] exp(i (ky s + kx t)),
 * for every choice of P, Q, a and b. Half a step (a = 1/2) often puts the frequency of the largest norm, which
 * a grid with edges never quite reaches, between two of those that count: for a box filter it makes the bound exact.
 *
 * Grid. Where that leaves a gap and the grid is small enough, T T^T is formed as a band matrix; on the smallest grids,
 * where the torus is far off, at once.
 *
 * Both times an eigenvalue is bounded by a Cholesky factorisation (`SymmetricBand`); what rounding can have changed
 * is added to the bound.
 */
import { check } from "../errors.js";
import { SymmetricBand } from "./symmetric-band.js";

/** Squared norms are certified to a part in this many. */
const STEP = 1e-3;
/** A gap between the torus and the estimate on the grid, of squared norms, that is not worth another factorisation. */
const GAP = 6e-3;
/** The longest factorisation on the grid: multiplications and additions, and entries of the band. */
const MOST_WORK = 2e10;
const MOST_ENTRIES = 2.5e7;
/** The longest one that is not worth a look at the torus before, nor left out where a bound has to be had quickly. */
const LITTLE_WORK = 3e7;
const LANCZOS_STEPS = 60;

/**
 * At least the spectral norm of the convolution with weights [output][3 ky + kx][input], row-major, as a linear map
 * on a zero-padded height x width grid. A tight bound is within 0.3 % of it where T T^T can be factorised (up to about
 * 16 channels on 28 x 28 or 86 on 8 x 8; the smaller number of channels counts), else seldom more than 1 % above it. A
 * quick one, for a hundredth of the work, stops at the torus but for the smallest grids (16 channels on 4 x 4): seldom
 * more than 3 % above it.
 * Infinity where a weight is not finite. Throws `internal` for a wrong number of weights.
 */
export function convolutionNormBound(
  weight: ArrayLike<number>,
  outputs: number,
  inputs: number,
  height: number,
  width: number,
  effort: "quick" | "tight" = "tight",
): number {
  check(
    weight.length === outputs * 9 * inputs,
    "internal",
    `${weight.length} weights make no 3 x 3 convolution of ${inputs} to ${outputs} channels`,
  );
  // Taps of at most 4, by a power of two: no product overflows, and none that matters vanishes.
  const used = (tap: number) => (height > 1 || (tap - (tap % 3)) / 3 === 1) && (width > 1 || tap % 3 === 1);
  let largest = 0;
  for (let i = 0; i < weight.length; i++) {
    if (!Number.isFinite(weight[i])) return Number.POSITIVE_INFINITY;
    if (used(Math.floor(i / inputs) % 9)) largest = Math.max(largest, Math.abs(weight[i]));
  }
  if (largest === 0) return 0;
  const scale = 2 ** Math.min(1023, Math.floor(Math.log2(largest)));

  // The transpose has the taps in reverse; the transposed picture has rows for columns. Neither changes the norm.
  const turned = width > height;
  const rows = Math.min(inputs, outputs);
  const columns = Math.max(inputs, outputs);
  const taps = Array.from({ length: 9 }, () => new Float64Array(rows * columns));
  let squares = 0;
  for (let o = 0, i = 0; o < outputs; o++)
    for (let tap = 0; tap < 9; tap++)
      for (let c = 0; c < inputs; c++, i++) {
        if (!used(tap)) continue;
        const value = weight[i] / scale;
        const [ky, kx] = [(tap - (tap % 3)) / 3, tap % 3];
        const across = turned ? 3 * kx + ky : tap;
        if (outputs <= inputs) taps[across][o * columns + c] = value;
        else taps[8 - across][c * columns + o] = value;
        squares += value * value;
      }
  const grid = new Grid(taps, rows, columns, Math.max(height, width), Math.min(height, width));
  const mu = grid.squaredNorm((largest / scale) ** 2, effort === "quick");

  // Rounding of the products of taps and of the phases: their sizes add up to at most (sum |W_k|)^2 <= 9 |W|^2.
  const products = (9 * columns + 300) * 9 * squares * Number.EPSILON;
  const root = Math.sqrt(mu + products) * (1 + 4 * Number.EPSILON);
  return scale * root + Number.MIN_VALUE;
}

/** A convolution of scaled taps, rows x columns each, on a grid no wider than high. */
class Grid {
  /** W_k W_l^T for k >= l, by 9 k + l; the others are their transposes. */
  private readonly products: readonly (Float64Array | undefined)[];

  private readonly channels: number;
  private readonly height: number;
  private readonly width: number;

  constructor(
    taps: readonly Float64Array[],
    channels: number,
    columns: number,
    height: number,
    width: number,
  ) {
    this.channels = channels;
    this.height = height;
    this.width = width;
    this.products = Array.from({ length: 81 }, (_, i) => {
      const [k, l] = [Math.floor(i / 9), i % 9];
      return k >= l ? timesTransposed(taps[k], taps[l], channels, columns) : undefined;
    });
  }

  /** At least |T|^2 but for the rounding of products; never less than `least`. */
  squaredNorm(least: number, quick: boolean): number {
    const { channels: n, height, width } = this;
    const size = height * width * n;
    const reach = Math.min(size - 1, (2 * width + 3) * n - 1);
    const work = size * reach * reach;
    const torus = work > LITTLE_WORK ? this.onTorus(least) : Number.POSITIVE_INFINITY;
    if (work > (quick ? LITTLE_WORK : MOST_WORK) || size * (reach + 2) > MOST_ENTRIES) return torus;
    const gram = this.gram(size, reach);
    const estimate = Math.max(least, gram.largestEigenvalue(LANCZOS_STEPS));
    if (estimate * (1 + GAP) >= torus) return torus;
    for (let step = STEP; ; step *= 2) {
      const mu = estimate * (1 + step);
      if (mu + gram.slack(mu) >= torus) return torus;
      if (gram.isBelow(mu)) return mu + gram.slack(mu);
    }
  }

  /** The least over some tori of the largest squared norm of their symbols. */
  private onTorus(least: number): number {
    const { height, width, channels: n } = this;
    const differences = this.differences();
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
  private differences(): Difference[] {
    const { channels: n } = this;
    const sums = DIFFERENCES.map(() => new Float64Array(n * n));
    for (let k = 0; k < 9; k++)
      for (let l = 0; l < 9; l++) {
        const dy = Math.floor(k / 3) - Math.floor(l / 3);
        const dx = (k % 3) - (l % 3);
        const d = DIFFERENCES.findIndex(([y, x]) => y === dy && x === dx);
        if (d >= 0) this.addProduct(k, l, sums[d]);
      }
    return sums.map((sum, d) => {
      const transposed = (i: number) => sum[(i % n) * n + Math.floor(i / n)];
      return {
        even: d === 0 ? sum : sum.map((x, i) => x + transposed(i)),
        odd: d === 0 ? new Float64Array(n * n) : sum.map((x, i) => x - transposed(i)),
      };
    });
  }

  private addProduct(k: number, l: number, sum: Float64Array): void {
    const { channels: n, products } = this;
    const straight = products[9 * k + l];
    const mirrored = products[9 * l + k];
    if (straight) for (let i = 0; i < n * n; i++) sum[i] += straight[i];
    else if (mirrored)
      for (let o = 0, i = 0; o < n; o++) for (let c = 0; c < n; c++, i++) sum[i] += mirrored[c * n + o];
  }

  /** T T^T; the row of output o at (i, j) is (i width + j) channels + o. */
  private gram(size: number, reach: number): SymmetricBand {
    const { channels: n, height, width } = this;
    const band = new SymmetricBand(size, reach);
    // The pairs of taps that meet in the grid, by what is missing at its edges, are the same for most outputs.
    const blocks = new Map<string, Float64Array>();
    for (let i = 0; i < height; i++)
      for (let j = 0; j < width; j++)
        for (let dy = -2; dy <= 0; dy++)
          for (let dx = -2; dx <= (dy < 0 ? 2 : 0); dx++) {
            const [y, x] = [i + dy, j + dx];
            if (y < 0 || x < 0 || x >= width) continue;
            const pairs: [number, number][] = [];
            for (let k = 0; k < 9; k++) {
              const [ky, kx] = [Math.floor(k / 3), k % 3];
              const [ly, lx] = [ky - dy, kx - dx];
              if (ly < 0 || ly > 2 || lx < 0 || lx > 2) continue;
              const [v, u] = [i + ky - 1, j + kx - 1];
              if (v >= 0 && v < height && u >= 0 && u < width) pairs.push([k, 3 * ly + lx]);
            }
            const key = pairs.join();
            let block = blocks.get(key);
            if (!block) {
              block = new Float64Array(n * n);
              for (const [k, l] of pairs) this.addProduct(k, l, block);
              blocks.set(key, block);
            }
            const [top, left] = [(i * width + j) * n, (y * width + x) * n];
            for (let o = 0; o < n; o++) {
              const last = Math.min(n, top + o - left + 1);
              const row = band.row(top + o) + left;
              for (let c = 0; c < last; c++) band.entries[row + c] = block[o * n + c];
            }
          }
    return band;
  }
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

/** A B^T of row-major rows x columns matrices. */
function timesTransposed(a: Float64Array, b: Float64Array, rows: number, columns: number): Float64Array {
  const product = new Float64Array(rows * rows);
  for (let o = 0, i = 0; o < rows; o++)
    for (let c = 0; c < rows; c++, i++) {
      let sum = 0;
      for (let k = 0; k < columns; k++) sum += a[o * columns + k] * b[c * columns + k];
      product[i] = sum;
    }
  return product;
}

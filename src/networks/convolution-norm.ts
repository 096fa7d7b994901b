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
import { gramOnGrid, gramSize } from "./convolution-gram.js";
import { LANCZOS_STEPS, STEP, squaredNormOnTori } from "./convolution-symbol.js";
import { TapProducts } from "./tap-products.js";

/** A gap between the torus and the estimate on the grid, of squared norms, that is not worth another factorisation. */
const GAP = 6e-3;
/** The longest factorisation on the grid: multiplications and additions, and entries of the band. */
const MOST_WORK = 2e10;
const MOST_ENTRIES = 2.5e7;
/** The longest one that is not worth a look at the torus before, nor left out where a bound has to be had quickly. */
const LITTLE_WORK = 3e7;

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
  const products = new TapProducts(taps, rows, columns);
  const [long, short] = [Math.max(height, width), Math.min(height, width)];
  const mu = squaredNorm(products, long, short, (largest / scale) ** 2, effort === "quick");

  // Rounding of the products of taps and of the phases: their sizes add up to at most (sum |W_k|)^2 <= 9 |W|^2.
  const rounding = (9 * columns + 300) * 9 * squares * Number.EPSILON;
  const root = Math.sqrt(mu + rounding) * (1 + 4 * Number.EPSILON);
  return scale * root + Number.MIN_VALUE;
}

/** At least |T|^2 on a grid no wider than high, but for the rounding of products; never less than `least`. */
function squaredNorm(
  products: TapProducts,
  height: number,
  width: number,
  least: number,
  quick: boolean,
): number {
  const { size, reach } = gramSize(products.channels, height, width);
  const work = size * reach * reach;
  const torus =
    work > LITTLE_WORK ? squaredNormOnTori(products, height, width, least) : Number.POSITIVE_INFINITY;
  if (work > (quick ? LITTLE_WORK : MOST_WORK) || size * (reach + 2) > MOST_ENTRIES) return torus;
  const gram = gramOnGrid(products, height, width);
  const estimate = Math.max(least, gram.largestEigenvalue(LANCZOS_STEPS));
  if (estimate * (1 + GAP) >= torus) return torus;
  for (let step = STEP; ; step *= 2) {
    const mu = estimate * (1 + step);
    if (mu + gram.slack(mu) >= torus) return torus;
    if (gram.isBelow(mu)) return mu + gram.slack(mu);
  }
}

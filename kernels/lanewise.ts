// Small dense linear algebra, one d x d matrix a lane, four lanes at a time: what the exact regime needs.
// A jet matrix has rows i and lane segments of `batch` lanes: segment 0 holds G(w)_i, segment 1 + k holds
// J[i][k] = dG_i/dw_k. Since |J| < 1, the symmetric part of I +- J is positive definite, so elimination
// without pivoting has positive pivots.
import { BYTES, choose, fma, log, negativeFma, splat } from "./simd";

const MAX_DIM: i32 = 16;
const matrix: usize = memory.data(MAX_DIM * MAX_DIM * BYTES, 16);
const vector: usize = memory.data(MAX_DIM * BYTES, 16);

// @ts-ignore: decorator
@inline
function element(d: i32, i: i32, j: i32): usize {
  return matrix + (i * d + j) * BYTES;
}

/** matrix = LU of I + sign J at these lanes (unit lower triangle; the pivots' reciprocals on the diagonal). */
function factor(jet: usize, stride: usize, segment: usize, d: i32, sign: f32): void {
  for (let i = 0; i < d; i++) {
    for (let j = 0; j < d; j++) {
      const value = f32x4.mul(splat(sign), v128.load(jet + i * stride + (1 + j) * segment));
      v128.store(element(d, i, j), i == j ? f32x4.add(value, splat(1)) : value);
    }
  }
  for (let k = 0; k < d; k++) {
    const reciprocal = f32x4.div(splat(1), v128.load(element(d, k, k)));
    v128.store(element(d, k, k), reciprocal);
    for (let i = k + 1; i < d; i++) {
      const multiplier = f32x4.mul(v128.load(element(d, i, k)), reciprocal);
      v128.store(element(d, i, k), multiplier);
      const negative = f32x4.neg(multiplier);
      for (let j = k + 1; j < d; j++) {
        v128.store(element(d, i, j), fma(negative, v128.load(element(d, k, j)), v128.load(element(d, i, j))));
      }
    }
  }
}

/** log det(I + sign J), after `factor`; NaN of a determinant that is not positive. */
function logDeterminant(d: i32): v128 {
  let total = splat(0);
  let product = splat(1);
  let signs = splat(0);
  for (let k = 0; k < d; k++) {
    product = f32x4.mul(product, v128.load(element(d, k, k)));
    // Eight factors of up to 1 / (1 - L) are far from overflow, and one logarithm serves them all.
    if (k == d - 1 || k % 8 == 7) {
      signs = v128.xor(signs, product);
      total = f32x4.sub(total, log(f32x4.abs(product)));
      product = splat(1);
    }
  }
  const positive = v128.and(i32x4.ge_s(signs, splat(0)), f32x4.gt(total, splat(-Infinity)));
  return choose(positive, total, splat(NaN));
}

/** vector = (I + sign J)^-1 vector, after `factor`. */
function solve(d: i32): void {
  for (let i = 1; i < d; i++) {
    let s = v128.load(vector + i * BYTES);
    for (let j = 0; j < i; j++) s = fma(f32x4.neg(v128.load(element(d, i, j))), v128.load(vector + j * BYTES), s);
    v128.store(vector + i * BYTES, s);
  }
  for (let i = d - 1; i >= 0; i--) {
    let s = v128.load(vector + i * BYTES);
    for (let j = i + 1; j < d; j++) s = fma(f32x4.neg(v128.load(element(d, i, j))), v128.load(vector + j * BYTES), s);
    v128.store(vector + i * BYTES, f32x4.mul(s, v128.load(element(d, i, i))));
  }
}

/** vector = (I + sign J)^-T vector, after `factor`. */
function solveTransposed(d: i32): void {
  for (let i = 0; i < d; i++) {
    let s = v128.load(vector + i * BYTES);
    for (let j = 0; j < i; j++) s = fma(f32x4.neg(v128.load(element(d, j, i))), v128.load(vector + j * BYTES), s);
    v128.store(vector + i * BYTES, f32x4.mul(s, v128.load(element(d, i, i))));
  }
  for (let i = d - 2; i >= 0; i--) {
    let s = v128.load(vector + i * BYTES);
    for (let j = i + 1; j < d; j++) s = fma(f32x4.neg(v128.load(element(d, j, i))), v128.load(vector + j * BYTES), s);
    v128.store(vector + i * BYTES, s);
  }
}

// One and two dimensions, the most frequent, have closed forms: with A = I + sign J,
// A^-1 = [a11, -a01; -a10, a00] / det A, det A = a00 a11 - a01 a10.

/** Element i, j of I + sign J at these lanes. */
// @ts-ignore: decorator
@inline
function entry(jet: usize, stride: usize, segment: usize, i: i32, j: i32, sign: f32): v128 {
  return fma(splat(sign), v128.load(jet + i * stride + (1 + j) * segment), splat(i == j ? 1 : 0));
}

// @ts-ignore: decorator
@inline
function determinant2(a00: v128, a01: v128, a10: v128, a11: v128): v128 {
  return negativeFma(a01, a10, f32x4.mul(a00, a11));
}

/** vector = A^-1 vector, or A^-T vector with `transposed`. */
function solveLanes(jet: usize, stride: usize, segment: usize, d: i32, sign: f32, transposed: bool): void {
  if (d == 1) {
    v128.store(vector, f32x4.div(v128.load(vector), entry(jet, stride, segment, 0, 0, sign)));
  } else if (d == 2) {
    const a00 = entry(jet, stride, segment, 0, 0, sign);
    const upper = entry(jet, stride, segment, 0, 1, sign);
    const lower = entry(jet, stride, segment, 1, 0, sign);
    const a11 = entry(jet, stride, segment, 1, 1, sign);
    const a01 = transposed ? lower : upper;
    const a10 = transposed ? upper : lower;
    const reciprocal = f32x4.div(splat(1), determinant2(a00, a01, a10, a11));
    const r0 = v128.load(vector);
    const r1 = v128.load(vector, BYTES);
    v128.store(vector, f32x4.mul(negativeFma(a01, r1, f32x4.mul(a11, r0)), reciprocal));
    v128.store(vector, f32x4.mul(negativeFma(a10, r0, f32x4.mul(a00, r1)), reciprocal), BYTES);
  } else {
    factor(jet, stride, segment, d, sign);
    if (transposed) solveTransposed(d);
    else solve(d);
  }
}

/** The tangents of a jet of the identity: segment 1 + k of row i is 1 where i = k, else 0. */
export function basisTangents(jet: usize, stride: usize, batch: i32, d: i32): void {
  const segment = <usize>batch * 4;
  for (let i = 0; i < d; i++) {
    for (let k = 0; k < d; k++) {
      const value = splat(i == k ? 1 : 0);
      const row = jet + i * stride + (1 + k) * segment;
      for (let l: usize = 0; l < segment; l += BYTES) v128.store(row + l, value);
    }
  }
}

/** logDet[l] += plus log det(I + J) + minus log det(I - J). */
export function addLogDet(logDet: usize, jet: usize, stride: usize, batch: i32, d: i32, plus: f32, minus: f32): void {
  const segment = <usize>batch * 4;
  for (let l: usize = 0; l < segment; l += BYTES) {
    let s = v128.load(logDet + l);
    if (plus != 0) {
      factor(jet + l, stride, segment, d, 1);
      s = fma(splat(plus), logDeterminant(d), s);
    }
    if (minus != 0) {
      factor(jet + l, stride, segment, d, -1);
      s = fma(splat(minus), logDeterminant(d), s);
    }
    v128.store(logDet + l, s);
  }
}

/**
 * The cotangent of addLogDet with respect to J, times weight[l]: plus (I + J)^-T - minus (I - J)^-T, into
 * segments 1.. of `bar`, whose segment 0 becomes zero.
 */
export function logDetCotangent(bar: usize, barStride: usize, weight: usize, jet: usize, stride: usize, batch: i32, d: i32, plus: f32, minus: f32): void {
  const segment = <usize>batch * 4;
  if (d == 2) {
    logDetCotangent2(bar, barStride, weight, jet, stride, segment, plus, minus);
    return;
  }
  for (let l: usize = 0; l < segment; l += BYTES) {
    for (let i = 0; i < d; i++) v128.store(bar + l + i * barStride, splat(0));
    let first = true;
    for (let pass = 0; pass < 2; pass++) {
      const coefficient = pass == 0 ? plus : -minus;
      if (coefficient == 0) continue;
      factor(jet + l, stride, segment, d, pass == 0 ? 1 : -1);
      const scale = f32x4.mul(splat(coefficient), v128.load(weight + l));
      // Row k of the inverse transposed is the solution for e_k transposed: bar[i][k] = inverse^T[i][k].
      for (let k = 0; k < d; k++) {
        for (let i = 0; i < d; i++) v128.store(vector + i * BYTES, i == k ? scale : splat(0));
        solveTransposed(d);
        for (let i = 0; i < d; i++) {
          const place = bar + l + i * barStride + (1 + k) * segment;
          const value = v128.load(vector + i * BYTES);
          v128.store(place, first ? value : f32x4.add(v128.load(place), value));
        }
      }
      first = false;
    }
  }
}

/** The same in two dimensions: A^-T = [a11, -a10; -a01, a00] / det A, of A = I + J and of I - J. */
function logDetCotangent2(bar: usize, barStride: usize, weight: usize, jet: usize, stride: usize, segment: usize, plus: f32, minus: f32): void {
  const one = splat(1);
  for (let l: usize = 0; l < segment; l += BYTES) {
    const j00 = v128.load(jet + l + segment);
    const j01 = v128.load(jet + l + 2 * segment);
    const j10 = v128.load(jet + l + segment + stride);
    const j11 = v128.load(jet + l + 2 * segment + stride);
    const scale = v128.load(weight + l);
    const off = f32x4.mul(j01, j10);
    const p00 = f32x4.add(one, j00);
    const p11 = f32x4.add(one, j11);
    const m00 = f32x4.sub(one, j00);
    const m11 = f32x4.sub(one, j11);
    const rising = f32x4.div(f32x4.mul(splat(plus), scale), f32x4.sub(f32x4.mul(p00, p11), off));
    const falling = f32x4.div(f32x4.mul(splat(minus), scale), f32x4.sub(f32x4.mul(m00, m11), off));
    const both = f32x4.neg(f32x4.add(rising, falling));
    const target = bar + l;
    v128.store(target, splat(0));
    v128.store(target + barStride, splat(0));
    v128.store(target + segment, negativeFma(falling, m11, f32x4.mul(rising, p11)));
    v128.store(target + 2 * segment, f32x4.mul(both, j10));
    v128.store(target + segment + barStride, f32x4.mul(both, j01));
    v128.store(target + 2 * segment + barStride, negativeFma(falling, m00, f32x4.mul(rising, p00)));
  }
}

/** out = (I + sign J)^-T right, lane by lane. */
export function solveTransposedLanes(out: usize, outStride: usize, right: usize, rightStride: usize, jet: usize, stride: usize, batch: i32, d: i32, sign: f32): void {
  const segment = <usize>batch * 4;
  for (let l: usize = 0; l < segment; l += BYTES) {
    for (let i = 0; i < d; i++) v128.store(vector + i * BYTES, v128.load(right + l + i * rightStride));
    solveLanes(jet + l, stride, segment, d, sign, true);
    for (let i = 0; i < d; i++) v128.store(out + l + i * outStride, v128.load(vector + i * BYTES));
  }
}

/** What a trial step of full length has to lower the norm by, as a share of it; shorter ones their part of it. */
const DECREASE: f32 = 0.08;
/** Newton steps below this length give way to the fixed point's. */
const SHORTEST: f32 = 0.25;

/**
 * One safeguarded Newton step on w + sign G(w) = target, from the jet of G at the trial point w.
 *
 * `state` has 3 d + 4 rows: the best point so far, its residual r, its Newton step, |r| (Euclidean), its relative
 * residual, the trial that was made, and the length of the next run of fixed-point steps. A trial t > 0 is that
 * part of the Newton step, t < 0 the first of -t fixed-point steps, and 0 none: the sample is given up, and w is its
 * best point. Which trials are accepted and what follows: solvers/newton.ts, math.md, "The safeguard of Newton's method".
 *
 * status[0]: largest relative residual of any lane; status[1]: the number of lanes that need another evaluation, whose
 * places `open` lists; status[2]: largest relative residual of the others; status[3]: how many of these were given up.
 */
export function newtonStep(w: usize, wStride: usize, target: usize, targetStride: usize, jet: usize, stride: usize, state: usize, stateStride: usize, open: usize, status: usize, batch: i32, d: i32, sign: f32, tolerance: f32, fresh: bool, last: bool): void {
  const segment = <usize>batch * 4;
  const residuals = state + d * stateStride;
  const steps = residuals + d * stateStride;
  const norms = steps + d * stateStride;
  const relatives = norms + stateStride;
  const trials = relatives + stateStride;
  const runs = trials + stateStride;
  const zero = splat(0);
  const one = splat(1);
  let worst = zero;
  let doneResidual = zero;
  let count = 0;
  let givenUp = 0;
  for (let l: usize = 0; l < segment; l += BYTES) {
    let size = one;
    let largest = zero;
    for (let i = 0; i < d; i++) {
      const goal = v128.load(target + l + i * targetStride);
      const point = v128.load(w + l + i * wStride);
      const r = f32x4.sub(fma(splat(sign), v128.load(jet + l + i * stride), point), goal);
      v128.store(vector + i * BYTES, r);
      // Rounding grows with the point itself, which a large G(0) puts far from the target.
      size = f32x4.pmax(size, f32x4.pmax(f32x4.abs(goal), f32x4.abs(point)));
      largest = f32x4.max(largest, f32x4.abs(r));
    }
    // |r| by way of r / max |r|, whose squares neither overflow nor vanish together.
    const scale = f32x4.pmax(largest, splat(1.17549435e-38));
    const inverse = f32x4.div(one, scale);
    let squares = zero;
    for (let i = 0; i < d; i++) {
      const share = f32x4.mul(v128.load(vector + i * BYTES), inverse);
      squares = fma(share, share, squares);
    }
    let norm = f32x4.mul(scale, f32x4.sqrt(squares));
    let relative = f32x4.div(largest, size);
    let accepted = i32x4.splat(-1);
    let trial = one;
    let run = one;
    let ended = zero;
    if (!fresh) {
      const before = v128.load(norms + l);
      const made = v128.load(trials + l);
      const doubled = v128.load(runs + l);
      const limit = f32x4.mul(before, negativeFma(splat(DECREASE), f32x4.pmax(made, zero), one));
      // What is not a number compares false: such a trial is not accepted, and counts as open.
      accepted = v128.or(f32x4.lt(norm, limit), f32x4.le(relative, splat(tolerance)));
      norm = choose(accepted, norm, before);
      relative = choose(accepted, relative, v128.load(relatives + l));
      ended = f32x4.eq(made, zero);
      const plain = f32x4.lt(made, zero);
      const half = f32x4.mul(made, splat(0.5));
      const short = v128.andnot(f32x4.lt(half, splat(SHORTEST)), v128.or(plain, ended));
      // After the last step of a run, and after one that failed but was not its first, Newton's has another turn.
      const further = choose(v128.and(plain, f32x4.lt(made, splat(-1))), f32x4.add(made, one), one);
      const failed = choose(f32x4.eq(f32x4.add(f32x4.add(made, made), doubled), zero), zero, one);
      const shorter = choose(short, f32x4.neg(doubled), half);
      trial = choose(accepted, further, choose(plain, failed, choose(ended, zero, shorter)));
      run = choose(accepted, choose(plain, doubled, one), choose(short, f32x4.add(doubled, doubled), doubled));
    }
    v128.store(norms + l, norm);
    v128.store(relatives + l, relative);
    v128.store(runs + l, run);
    const converged = f32x4.le(relative, splat(tolerance));
    if (last) trial = v128.and(trial, converged);
    v128.store(trials + l, trial);
    worst = f32x4.max(worst, relative);
    const done = v128.or(converged, ended);
    doneResidual = f32x4.max(doneResidual, choose(done, relative, zero));
    givenUp += popcnt(i32x4.bitmask(v128.andnot(ended, converged)));
    let missing = i32x4.bitmask(v128.not(done));
    while (missing != 0) {
      // Places are kept as distances in bytes.
      store<u32>(open + <usize>count * 4, <u32>l + 4 * ctz(missing));
      missing &= missing - 1;
      count++;
    }
    for (let i = 0; i < d; i++) {
      const at = l + i * stateStride;
      const r = v128.load(vector + i * BYTES);
      const point = v128.load(w + l + i * wStride);
      v128.store(residuals + at, fresh ? r : choose(accepted, r, v128.load(residuals + at)));
      v128.store(state + at, fresh ? point : choose(accepted, point, v128.load(state + at)));
    }
    solveLanes(jet + l, stride, segment, d, sign, false);
    const newton = f32x4.gt(trial, zero);
    const moves = v128.andnot(f32x4.ne(trial, zero), converged);
    const kept = f32x4.ne(trial, zero);
    for (let i = 0; i < d; i++) {
      const at = l + i * stateStride;
      const step = v128.load(vector + i * BYTES);
      const full = v128.and(kept, fresh ? step : choose(accepted, step, v128.load(steps + at)));
      v128.store(steps + at, full);
      const next = choose(newton, f32x4.mul(trial, full), v128.load(residuals + at));
      v128.store(w + l + i * wStride, f32x4.sub(v128.load(state + at), v128.and(moves, next)));
    }
  }
  store<f32>(status, largestLane(worst));
  store<f32>(status, <f32>count, 4);
  store<f32>(status, largestLane(doneResidual), 8);
  store<f32>(status, <f32>givenUp, 12);
  // Whole vectors of lanes are gathered: the last one is repeated.
  for (let n = count; n % 4 != 0; n++) store<u32>(open + <usize>n * 4, load<u32>(open + <usize>count * 4 - 4));
}

// @ts-ignore: decorator
@inline
function largestLane(x: v128): f32 {
  return max(max(f32x4.extract_lane(x, 0), f32x4.extract_lane(x, 1)), max(f32x4.extract_lane(x, 2), f32x4.extract_lane(x, 3)));
}

/** out[r][s][k] = x[r][s][lanes[k]] for `count` listed lanes, rows r and segments s (`segment` bytes apart in x). */
export function gatherLanes(out: usize, outStride: usize, x: usize, xStride: usize, segment: usize, lanes: usize, count: i32, rows: i32, segments: i32): void {
  for (let r = 0; r < rows; r++) {
    for (let s = 0; s < segments; s++) {
      const target = out + r * outStride + <usize>(s * count) * 4;
      const source = x + r * xStride + s * segment;
      for (let k = 0; k < count; k++) {
        store<f32>(target + <usize>k * 4, load<f32>(source + <usize>load<u32>(lanes + <usize>k * 4)));
      }
    }
  }
}

/** The way back: out[r][s][lanes[k]] = x[r][s][k]. */
export function scatterLanes(out: usize, outStride: usize, segment: usize, x: usize, xStride: usize, lanes: usize, count: i32, rows: i32, segments: i32): void {
  for (let r = 0; r < rows; r++) {
    for (let s = 0; s < segments; s++) {
      const target = out + r * outStride + s * segment;
      const source = x + r * xStride + <usize>(s * count) * 4;
      for (let k = 0; k < count; k++) {
        store<f32>(target + <usize>load<u32>(lanes + <usize>k * 4), load<f32>(source + <usize>k * 4));
      }
    }
  }
}

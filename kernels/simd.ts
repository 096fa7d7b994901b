// Arithmetic on four float32 lanes that every kernel uses.

export const LANES: i32 = 4;
export const BYTES: i32 = 16;

/** a b + c, in one rounding where the build has relaxed SIMD. */
// @ts-ignore: decorator
@inline
export function fma(a: v128, b: v128, c: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_madd(a, b, c) : f32x4.add(f32x4.mul(a, b), c);
}

// @ts-ignore: decorator
@inline
export function splat(x: f32): v128 {
  return f32x4.splat(x);
}

/** `then` where the condition's lanes are all ones, otherwise `otherwise`. */
// @ts-ignore: decorator
@inline
export function choose(condition: v128, then: v128, otherwise: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD
    ? i32x4.relaxed_laneselect(then, otherwise, condition)
    : v128.bitselect(then, otherwise, condition);
}

// @ts-ignore: decorator
@inline
export function sum(x: v128): f32 {
  return f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1) + (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3));
}

// 1.5 * 2^23: adding it leaves the nearest integer in the low bits of the sum.
const ROUNDER: f32 = 12582912;
const LN2_HIGH: f32 = 0.693359375;
const LN2_LOW: f32 = -2.12194440e-4;
// e^r = 1 + r + r^2 q(r) on |r| <= ln(2)/2: q with the least largest relative error, 1.1e-7.
const EXP_2: f32 = 0.49999228826;
const EXP_3: f32 = 0.16667116307;
const EXP_4: f32 = 0.04189054989;
const EXP_5: f32 = 0.00831247844;

/**
 * e^x, relative error below 2e-7; arguments are clamped to [-86, 88], so the result is always a normal number.
 * x = n ln 2 + r with |r| <= ln(2)/2; 2^n goes into the exponent bits.
 */
// @ts-ignore: decorator
@inline
export function exp(argument: v128): v128 {
  const x = f32x4.pmin(splat(88), f32x4.pmax(splat(-86), argument));
  const shifted = fma(x, splat(1.44269504), splat(ROUNDER));
  const n = f32x4.sub(shifted, splat(ROUNDER));
  const r = fma(n, splat(-LN2_LOW), fma(n, splat(-LN2_HIGH), x));
  let p = fma(splat(EXP_5), r, splat(EXP_4));
  p = fma(p, r, splat(EXP_3));
  p = fma(p, r, splat(EXP_2));
  p = fma(p, r, splat(1));
  p = fma(p, r, splat(1));
  // The bits of 1.0 are 127 << 23: adding n << 23 to them makes 2^n.
  return f32x4.mul(p, i32x4.add(i32x4.shl(shifted, 23), splat(1)));
}

/**
 * ln x for normal positive x, absolute error below 1e-7 near 1 and relative elsewhere.
 * x = 2^e m with m in [sqrt(1/2), sqrt(2)); ln m = 2 artanh(s), s = (m - 1) / (m + 1), by its odd series.
 */
// @ts-ignore: decorator
@inline
export function log(x: v128): v128 {
  const offset = i32x4.sub(x, i32x4.splat(0x3f3504f3));
  const exponent = i32x4.shr_s(offset, 23);
  const m = i32x4.sub(x, i32x4.shl(exponent, 23));
  const s = f32x4.div(f32x4.sub(m, splat(1)), f32x4.add(m, splat(1)));
  const q = f32x4.mul(s, s);
  let p = fma(splat(2.0 / 9.0), q, splat(2.0 / 7.0));
  p = fma(p, q, splat(2.0 / 5.0));
  p = fma(p, q, splat(2.0 / 3.0));
  p = fma(p, q, splat(2));
  const e = f32x4.convert_i32x4_s(exponent);
  return fma(e, splat(LN2_HIGH), fma(e, splat(LN2_LOW), f32x4.mul(p, s)));
}

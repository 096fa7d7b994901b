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

/** -a b + c, likewise. */
// @ts-ignore: decorator
@inline
export function negativeFma(a: v128, b: v128, c: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_nmadd(a, b, c) : f32x4.sub(c, f32x4.mul(a, b));
}

/** Number `index` of a table of float32 numbers, in all lanes. */
// @ts-ignore: decorator
@inline
export function repeated(table: usize, index: usize): v128 {
  return v128.load32_splat(table + 4 * index);
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

// @ts-ignore: decorator
@inline
export function add(address: usize, value: f32): void {
  store<f32>(address, load<f32>(address) + value);
}

// Constants that a loop needs stand in memory. V8 makes a literal anew wherever it is used, with three
// instructions that hold up the arithmetic; a load that repeats a number in all lanes is one and does not.
const exponential = memory.data<f32>([
  -88.1, 89, 1.44269504,
  12583039, // 1.5 * 2^23 + 127: adding it leaves the nearest integer, as an exponent's bits, in the low bits of the sum
  -0.693359375, 2.12194440e-4, // -ln 2 = their sum; n times the first is exact
  // cosh r = 1 + r^2 (...) and sinh r / r = 1 + r^2 (...) on |r| <= ln(2)/2, with least largest errors: 5e-11, 1.3e-8.
  1, 0.500000008, 0.041666264, 0.00139464486,
  0.16666542032, 0.00836671231,
  1.7014118346046923e38, // 2^127, whose bits are 254 << 23
], 16);

// e^x = 2^n e^r with x = n ln 2 + r and |r| <= ln(2)/2, in the steps that `scripts/kernels/expressions.ts` joins:
// e^r = even(r^2) + r odd(r^2), so that e^-x = 2^-n (even - r odd) costs few instructions more, and no division.
// The relative error is below 2e-7. n stays within [-127, 128], where 2^n comes out as 0 and Infinity at the ends: below
// 2^-126.5 the result is 0, above 2^127.5 Infinity; e^-x ends near 2^127 instead. NaN stays NaN, because the number that is
// compared stands first in pmin and pmax and the result is a product.

// @ts-ignore: decorator
@inline
export function expClamp(x: v128): v128 {
  return f32x4.pmin(f32x4.pmax(x, repeated(exponential, 0)), repeated(exponential, 1));
}

/** n + 127, in the low bits. */
// @ts-ignore: decorator
@inline
export function expScale(x: v128): v128 {
  return fma(x, repeated(exponential, 2), repeated(exponential, 3));
}

/** r */
// @ts-ignore: decorator
@inline
export function expRemainder(x: v128, scale: v128): v128 {
  const n = f32x4.sub(scale, repeated(exponential, 3));
  return fma(n, repeated(exponential, 5), fma(n, repeated(exponential, 4), x));
}

// @ts-ignore: decorator
@inline
export function expEven(square: v128): v128 {
  const p = fma(repeated(exponential, 9), square, repeated(exponential, 8));
  return fma(fma(p, square, repeated(exponential, 7)), square, repeated(exponential, 6));
}

// @ts-ignore: decorator
@inline
export function expOdd(square: v128): v128 {
  return fma(fma(repeated(exponential, 11), square, repeated(exponential, 10)), square, repeated(exponential, 6));
}

/** 2^n p: the bits of n + 127, as an exponent, are 2^n. */
// @ts-ignore: decorator
@inline
export function expRaise(p: v128, scale: v128): v128 {
  return f32x4.mul(p, i32x4.shl(scale, 23));
}

/** 2^-n p, for x of up to 88 */
// @ts-ignore: decorator
@inline
export function expLower(p: v128, scale: v128): v128 {
  return f32x4.mul(p, i32x4.sub(repeated(exponential, 12), i32x4.shl(scale, 23)));
}

const logarithm = memory.data<f32>([
  0.2222222222, 0.2857142857, 0.4, 0.6666666667, 2, // 2/9, 2/7, ..., 2
  1, 0.693359375, -2.12194440e-4, // the last two: ln 2
], 16);

/**
 * ln x of any float32: NaN of a negative x or NaN, -Infinity of 0, Infinity of Infinity. Over all 2^32 numbers the fused
 * build is within 2.9 units in the last place, and e^x within 2.1.
 */
// @ts-ignore: decorator
@inline
export function log(x: v128): v128 {
  // Of the bits of normal positive numbers, and of these alone.
  const normal = i32x4.lt_u(i32x4.sub(x, i32x4.splat(0x00800000)), i32x4.splat(0x7f000000));
  return i32x4.all_true(normal) ? logNormal(x) : logSpecial(x);
}

/**
 * ln x for normal positive x, absolute error below 1e-7 near 1 and relative elsewhere.
 * x = 2^e m with m in [sqrt(1/2), sqrt(2)); ln m = 2 artanh(s), s = (m - 1) / (m + 1), by its odd series.
 */
// @ts-ignore: decorator
@inline
function logNormal(x: v128): v128 {
  const offset = i32x4.sub(x, i32x4.splat(0x3f3504f3));
  const exponent = i32x4.shr_s(offset, 23);
  const m = i32x4.sub(x, i32x4.shl(exponent, 23));
  const s = f32x4.div(f32x4.sub(m, repeated(logarithm, 5)), f32x4.add(m, repeated(logarithm, 5)));
  const q = f32x4.mul(s, s);
  let p = fma(repeated(logarithm, 0), q, repeated(logarithm, 1));
  p = fma(p, q, repeated(logarithm, 2));
  p = fma(p, q, repeated(logarithm, 3));
  p = fma(p, q, repeated(logarithm, 4));
  const e = f32x4.convert_i32x4_s(exponent);
  return fma(e, repeated(logarithm, 6), fma(e, repeated(logarithm, 7), f32x4.mul(p, s)));
}

/** The same for four numbers that are not all normal and positive. */
function logSpecial(x: v128): v128 {
  const small = f32x4.lt(x, splat(1.17549435e-38));
  const scaled = choose(small, f32x4.mul(x, splat(8388608)), x); // by 2^23: subnormal numbers become normal
  const value = f32x4.sub(logNormal(scaled), v128.and(small, splat(15.942385152878742))); // 23 ln 2
  const known = choose(f32x4.eq(x, splat(0)), splat(-Infinity), value);
  const finite = f32x4.lt(x, splat(Infinity));
  const negative = f32x4.lt(x, splat(0));
  return choose(negative, splat(NaN), choose(finite, known, x)); // Infinity, and NaN, stay what they are
}

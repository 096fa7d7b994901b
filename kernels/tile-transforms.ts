// The transforms in one dimension of F(4 x 4, 3 x 3), after Winograd, Toom and Cook: polynomials are taken to their
// values at 0, a, -a, b, -b and infinity, where products go by elements, and back. `kernels/winograd.ts` has the use.
//   B^T = | a^2 b^2    0    -a^2-b^2    0      1  0 |   A^T = |1  1    1    1    1   0|   G: for a point p the row
//         |    0    -a b^2    -b^2      a      1  0 |         |0  a   -a    b   -b   0|   (1, p, p^2) / N(p), with
//         |    0     a b^2    -b^2     -a      1  0 |         |0 a^2  a^2  b^2  b^2  0|   N(0) = a^2 b^2,
//         |    0    -a^2 b    -a^2      b      1  0 |         |0 a^3 -a^3  b^3 -b^3  1|   N(+-a) = 2 a^2 (a^2 - b^2),
//         |    0     a^2 b    -a^2     -b      1  0 |                                     N(+-b) = 2 b^2 (b^2 - a^2);
//         |    0     a^2 b^2    0   -a^2-b^2   0  1 |                                     for infinity (0, 0, 1).
// With the usual a = 1, b = 2 rounding costs a digit. With a = 5/8, b = 3/2 the error is less than twice that of plain
// sums, and the products of a and b are numbers that float32 holds.
import { fma, negativeFma, repeated } from "./simd";

const constants = memory.data<f32>([
  0.625, 1.5, 0.390625, 2.25, 0.244140625, 3.375, // a, b, a^2, b^2, a^3, b^3
  0.87890625, 2.640625, // a^2 b^2, a^2 + b^2
  1.13777777778, // 1 / N(0)
  -0.688403361345, -0.430252100840, -0.268907563025, // 1, a and a^2 over N(a)
  0.119514472456, 0.179271708683, 0.268907563025, // 1, b and b^2 over N(b)
], 16);

// @ts-ignore: decorator
@inline
function constant(index: usize): v128 {
  return repeated(constants, index);
}

/** B^T d to six places that are `step` bytes apart. */
// @ts-ignore: decorator
@inline
export function transformPatch(to: usize, step: usize, d0: v128, d1: v128, d2: v128, d3: v128, d4: v128, d5: v128): void {
  v128.store(to, fma(constant(6), d0, negativeFma(constant(7), d2, d4)));
  const evenA = negativeFma(constant(3), d2, d4);
  const oddA = f32x4.mul(constant(0), negativeFma(constant(3), d1, d3));
  v128.store(to + step, f32x4.add(evenA, oddA));
  v128.store(to + 2 * step, f32x4.sub(evenA, oddA));
  const evenB = negativeFma(constant(2), d2, d4);
  const oddB = f32x4.mul(constant(1), negativeFma(constant(2), d1, d3));
  v128.store(to + 3 * step, f32x4.add(evenB, oddB));
  v128.store(to + 4 * step, f32x4.sub(evenB, oddB));
  v128.store(to + 5 * step, fma(constant(6), d1, negativeFma(constant(7), d3, d5)));
}

/** What a result is added to. */
export const NOTHING: i32 = 0;
export const START: i32 = 1;
export const WHAT_IS_THERE: i32 = 2;

// @ts-ignore: decorator
@inline
function put(to: usize, value: v128, onto: i32, start: v128): void {
  v128.store(to, onto == NOTHING ? value : f32x4.add(onto == START ? start : v128.load(to), value));
}

/** A^T m, its first `count` numbers, to places that are `step` bytes apart. */
// @ts-ignore: decorator
@inline
export function transformProducts(to: usize, step: usize, count: i32, onto: i32, start: v128, m0: v128, m1: v128, m2: v128, m3: v128, m4: v128, m5: v128): void {
  const evenA = f32x4.add(m1, m2);
  const evenB = f32x4.add(m3, m4);
  put(to, f32x4.add(m0, f32x4.add(evenA, evenB)), onto, start);
  const oddA = f32x4.sub(m1, m2);
  const oddB = f32x4.sub(m3, m4);
  if (count > 1) put(to + step, fma(constant(0), oddA, f32x4.mul(constant(1), oddB)), onto, start);
  if (count > 2) put(to + 2 * step, fma(constant(2), evenA, f32x4.mul(constant(3), evenB)), onto, start);
  if (count > 3) put(to + 3 * step, fma(constant(4), oddA, fma(constant(5), oddB, m5)), onto, start);
}

/** A y, the transpose of that, to six places that are `step` bytes apart. */
// @ts-ignore: decorator
@inline
export function transformGradient(to: usize, step: usize, y0: v128, y1: v128, y2: v128, y3: v128): void {
  v128.store(to, y0);
  const evenA = fma(constant(2), y2, y0);
  const oddA = fma(constant(4), y3, f32x4.mul(constant(0), y1));
  v128.store(to + step, f32x4.add(evenA, oddA));
  v128.store(to + 2 * step, f32x4.sub(evenA, oddA));
  const evenB = fma(constant(3), y2, y0);
  const oddB = fma(constant(5), y3, f32x4.mul(constant(1), y1));
  v128.store(to + 3 * step, f32x4.add(evenB, oddB));
  v128.store(to + 4 * step, f32x4.sub(evenB, oddB));
  v128.store(to + 5 * step, y3);
}

/** Four numbers, or with `four` false one. */
// @ts-ignore: decorator
@inline
export function load(from: usize, four: bool): v128 {
  return four ? v128.load(from) : v128.load32_zero(from);
}

// @ts-ignore: decorator
@inline
function store(to: usize, x: v128, four: bool): void {
  if (four) v128.store(to, x);
  else v128.store32_lane(to, x, 0);
}

/** G g to six places that are `step` bytes apart. */
// @ts-ignore: decorator
@inline
export function transformTaps(to: usize, step: usize, g0: v128, g1: v128, g2: v128, four: bool): void {
  store(to, f32x4.mul(constant(8), g0), four);
  const evenA = fma(constant(11), g2, f32x4.mul(constant(9), g0));
  const oddA = f32x4.mul(constant(10), g1);
  store(to + step, f32x4.add(evenA, oddA), four);
  store(to + 2 * step, f32x4.sub(evenA, oddA), four);
  const evenB = fma(constant(14), g2, f32x4.mul(constant(12), g0));
  const oddB = f32x4.mul(constant(13), g1);
  store(to + 3 * step, f32x4.add(evenB, oddB), four);
  store(to + 4 * step, f32x4.sub(evenB, oddB), four);
  store(to + 5 * step, g2, four);
}

/** G^T u, the transpose of that, added to three places that are `step` bytes apart. */
// @ts-ignore: decorator
@inline
export function addTaps(to: usize, step: usize, u0: v128, u1: v128, u2: v128, u3: v128, u4: v128, u5: v128, four: bool): void {
  const evenA = f32x4.add(u1, u2);
  const evenB = f32x4.add(u3, u4);
  const first = fma(constant(9), evenA, fma(constant(12), evenB, f32x4.mul(constant(8), u0)));
  const second = fma(constant(10), f32x4.sub(u1, u2), f32x4.mul(constant(13), f32x4.sub(u3, u4)));
  const third = fma(constant(11), evenA, fma(constant(14), evenB, u5));
  store(to, f32x4.add(load(to, four), first), four);
  store(to + step, f32x4.add(load(to + step, four), second), four);
  store(to + 2 * step, f32x4.add(load(to + 2 * step, four), third), four);
}

// Exponential and logarithm of a row of numbers, for tests of what the other kernels use.
import { BYTES, expClamp, expEven, expLower, expOdd, expRaise, expRemainder, expScale, fma, log, negativeFma } from "./simd";

/** out[l] = ln x[l] */
export function logarithms(out: usize, x: usize, lanes: i32): void {
  const end = <usize>lanes * 4;
  for (let l: usize = 0; l < end; l += BYTES) v128.store(out + l, log(v128.load(x + l)));
}

/** out[l] = e^x[l], or e^-x[l] as it comes along with that, for x of up to 88. */
export function exponentials(out: usize, x: usize, lanes: i32, negative: bool): void {
  const end = <usize>lanes * 4;
  for (let l: usize = 0; l < end; l += BYTES) {
    const clamped = expClamp(v128.load(x + l));
    const scale = expScale(clamped);
    const r = expRemainder(clamped, scale);
    const square = f32x4.mul(r, r);
    const even = expEven(square);
    const odd = expOdd(square);
    const value = negative ? expLower(negativeFma(odd, r, even), scale) : expRaise(fma(odd, r, even), scale);
    v128.store(out + l, value);
  }
}

// What a solver needs of each sample by itself. Lanes come as [place][sample]; samples are a multiple of 4.
import { BYTES, fma, splat } from "./simd";

/** out[s] = sum over rows and places of x y. */
export function sampleDots(out: usize, x: usize, xStride: usize, y: usize, yStride: usize, rows: i32, places: i32, samples: i32): void {
  const segment = <usize>samples * 4;
  for (let l: usize = 0; l < segment; l += BYTES) {
    // Sums over rows of sums over places: float32 keeps more digits than in one long sum.
    let total = splat(0);
    for (let r = 0; r < rows; r++) {
      let a = x + r * xStride + l;
      let b = y + r * yStride + l;
      let s = splat(0);
      for (let p = 0; p < places; p++) {
        s = fma(v128.load(a), v128.load(b), s);
        a += segment;
        b += segment;
      }
      total = f32x4.add(total, s);
    }
    v128.store(out + l, total);
  }
}

/** out[s] = the largest |x| over rows and places; NaN if any is. */
export function sampleMaxima(out: usize, x: usize, xStride: usize, rows: i32, places: i32, samples: i32): void {
  const segment = <usize>samples * 4;
  for (let l: usize = 0; l < segment; l += BYTES) {
    let largest = splat(0);
    for (let r = 0; r < rows; r++) {
      let a = x + r * xStride + l;
      for (let p = 0; p < places; p++) {
        largest = f32x4.max(largest, f32x4.abs(v128.load(a)));
        a += segment;
      }
    }
    v128.store(out + l, largest);
  }
}

/** out = scale[s] x, or out += with `accumulate`; a scale of 0 leaves x out, whatever it is. */
export function scaleSamples(out: usize, outStride: usize, scale: usize, x: usize, xStride: usize, rows: i32, places: i32, samples: i32, accumulate: bool): void {
  const segment = <usize>samples * 4;
  for (let l: usize = 0; l < segment; l += BYTES) {
    const factor = v128.load(scale + l);
    const used = f32x4.ne(factor, splat(0));
    for (let r = 0; r < rows; r++) {
      let a = x + r * xStride + l;
      let o = out + r * outStride + l;
      for (let p = 0; p < places; p++) {
        const value = v128.and(used, v128.load(a));
        v128.store(o, accumulate ? fma(factor, value, v128.load(o)) : f32x4.mul(factor, value));
        a += segment;
        o += segment;
      }
    }
  }
}

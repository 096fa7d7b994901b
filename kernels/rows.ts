// Elementwise operations and sums on matrices of rows; strides in bytes, lanes a multiple of 4.
import { BYTES, fma, splat, sum } from "./simd";

/** out = a x + b y (y is left out where its address is 0). */
export function combine(out: usize, outStride: usize, a: f32, x: usize, xStride: usize, b: f32, y: usize, yStride: usize, rows: i32, lanes: i32): void {
  const end = <usize>lanes * 4;
  const va = splat(a);
  const vb = splat(b);
  for (let r = 0; r < rows; r++) {
    if (y != 0) {
      for (let l: usize = 0; l < end; l += BYTES) {
        v128.store(out + l, fma(va, v128.load(x + l), f32x4.mul(vb, v128.load(y + l))));
      }
    } else {
      for (let l: usize = 0; l < end; l += BYTES) v128.store(out + l, f32x4.mul(va, v128.load(x + l)));
    }
    out += outStride;
    x += xStride;
    y += yStride;
  }
}

/** out[r] = sum over groups o of slopes[o][r] x[o][r]; there are one or two groups. */
export function applySlopes(out: usize, outStride: usize, slopes: usize, slopesStride: usize, x: usize, xStride: usize, rows: i32, groups: i32, lanes: i32): void {
  const end = <usize>lanes * 4;
  const slopesGroup = rows * slopesStride;
  const xGroup = rows * xStride;
  for (let r = 0; r < rows; r++) {
    if (groups == 1) {
      for (let l: usize = 0; l < end; l += BYTES) v128.store(out + l, f32x4.mul(v128.load(slopes + l), v128.load(x + l)));
    } else {
      for (let l: usize = 0; l < end; l += BYTES) {
        const first = f32x4.mul(v128.load(slopes + l), v128.load(x + l));
        v128.store(out + l, fma(v128.load(slopes + slopesGroup + l), v128.load(x + xGroup + l), first));
      }
    }
    out += outStride;
    slopes += slopesStride;
    x += xStride;
  }
}

/** out[r] = scale[r] x[r] + shift[r]. */
export function affine(out: usize, outStride: usize, x: usize, xStride: usize, scale: usize, shift: usize, rows: i32, lanes: i32): void {
  const end = <usize>lanes * 4;
  for (let r = 0; r < rows; r++) {
    const a = v128.load32_splat(scale + r * 4);
    const b = v128.load32_splat(shift + r * 4);
    for (let l: usize = 0; l < end; l += BYTES) v128.store(out + l, fma(a, v128.load(x + l), b));
    out += outStride;
    x += xStride;
  }
}

/** out[r] += sum_l x[r][l] y[r][l] (y all ones where its address is 0). */
export function rowSums(out: usize, x: usize, xStride: usize, y: usize, yStride: usize, rows: i32, lanes: i32): void {
  const end = <usize>lanes * 4;
  for (let r = 0; r < rows; r++) {
    let s = splat(0);
    if (y != 0) {
      for (let l: usize = 0; l < end; l += BYTES) s = fma(v128.load(x + l), v128.load(y + l), s);
    } else {
      for (let l: usize = 0; l < end; l += BYTES) s = f32x4.add(s, v128.load(x + l));
    }
    store<f32>(out + r * 4, load<f32>(out + r * 4) + sum(s));
    x += xStride;
    y += yStride;
  }
}

/** out[r][l] = value for all r and l. */
export function fill(out: usize, outStride: usize, value: f32, rows: i32, lanes: i32): void {
  const end = <usize>lanes * 4;
  const v = splat(value);
  for (let r = 0; r < rows; r++) {
    for (let l: usize = 0; l < end; l += BYTES) v128.store(out + l, v);
    out += outStride;
  }
}

/** out[l] += -1/2 sum_r z[r][l]^2 - rows/2 ln(2 pi): the log-density of the standard normal. */
export function gaussianLogDensity(out: usize, z: usize, zStride: usize, rows: i32, lanes: i32): void {
  const end = <usize>lanes * 4;
  const constant = splat(-0.91893853320467274 * <f32>rows);
  for (let l: usize = 0; l < end; l += BYTES) {
    let s = splat(0);
    for (let r = 0; r < rows; r++) {
      const x = v128.load(z + r * zStride + l);
      s = fma(x, x, s);
    }
    v128.store(out + l, f32x4.add(v128.load(out + l), fma(s, splat(-0.5), constant)));
  }
}

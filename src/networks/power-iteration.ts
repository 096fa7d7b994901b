/** Power iteration on a matrix, for its largest singular value. */

/**
 * `iterations` rounds of v = W^T u / |.|, u = W v / |.|, then sigma = u^T W v, for a row-major
 * rows x columns matrix. u and v are changed in place. sigma never exceeds the true norm.
 */
export function powerIteration(
  weight: Float64Array,
  rows: number,
  columns: number,
  u: Float64Array,
  v: Float64Array,
  iterations: number,
): void {
  for (let n = 0; n < iterations; n++) {
    v.fill(0);
    addTransposedProduct(v, weight, rows, columns, u);
    normalise(v);
    product(u, weight, rows, columns, v);
    normalise(u);
  }
}

/** u^T W v. */
export function bilinear(weight: Float64Array, u: Float64Array, v: Float64Array): number {
  if (image.length < u.length) image = new Float64Array(u.length);
  product(image, weight, u.length, v.length, v);
  let sum = 0;
  for (let r = 0; r < u.length; r++) sum += u[r] * image[r];
  return sum;
}

/** Room for W v. */
let image = new Float64Array(64);

// Both products take four rows at a time: a single running sum would wait for every addition before the next.

/** out = W v. */
function product(
  out: Float64Array,
  weight: Float64Array,
  rows: number,
  columns: number,
  v: Float64Array,
): void {
  let r = 0;
  for (; r + 3 < rows; r += 4) {
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let c = 0, i = r * columns; c < columns; c++, i++) {
      const x = v[c];
      s0 += weight[i] * x;
      s1 += weight[i + columns] * x;
      s2 += weight[i + 2 * columns] * x;
      s3 += weight[i + 3 * columns] * x;
    }
    out[r] = s0;
    out[r + 1] = s1;
    out[r + 2] = s2;
    out[r + 3] = s3;
  }
  for (; r < rows; r++) {
    let sum = 0;
    for (let c = 0, i = r * columns; c < columns; c++, i++) sum += weight[i] * v[c];
    out[r] = sum;
  }
}

/** out += W^T u. */
function addTransposedProduct(
  out: Float64Array,
  weight: Float64Array,
  rows: number,
  columns: number,
  u: Float64Array,
): void {
  let r = 0;
  for (; r + 3 < rows; r += 4) {
    const u0 = u[r];
    const u1 = u[r + 1];
    const u2 = u[r + 2];
    const u3 = u[r + 3];
    for (let c = 0, i = r * columns; c < columns; c++, i++) {
      out[c] =
        out[c] +
        u0 * weight[i] +
        u1 * weight[i + columns] +
        u2 * weight[i + 2 * columns] +
        u3 * weight[i + 3 * columns];
    }
  }
  for (; r < rows; r++) {
    for (let c = 0, i = r * columns; c < columns; c++, i++) out[c] += u[r] * weight[i];
  }
}

/** Scales a vector to length 1, or leaves it 0. Returns its length before. */
export function normalise(x: Float64Array): number {
  let squares = 0;
  for (let i = 0; i < x.length; i++) squares += x[i] * x[i];
  const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
  for (let i = 0; i < x.length; i++) x[i] *= scale;
  return Math.sqrt(squares);
}

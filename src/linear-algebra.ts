/** LU factors with partial pivoting, for the reference engine and for numerical Jacobians. */
export interface Factors {
  /** Row-major; unit lower triangle below the diagonal, upper triangle on and above it. */
  readonly lu: Float64Array;
  readonly order: Int32Array;
  readonly size: number;
  /** log |det|; -Infinity for a singular matrix. */
  readonly logDet: number;
  /** The sign of det: 1, -1 or 0; NaN where it is not a number. */
  readonly sign: number;
}

/** PA = LU of a row-major square matrix. */
export function factorise(matrix: Float64Array): Factors {
  const n = Math.round(Math.sqrt(matrix.length));
  const lu = matrix.slice();
  const order = Int32Array.from({ length: n }, (_, i) => i);
  let logDet = 0;
  let sign = 1;
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(lu[i * n + k]) > Math.abs(lu[pivot * n + k])) pivot = i;
    if (pivot !== k) {
      for (let j = 0; j < n; j++) [lu[k * n + j], lu[pivot * n + j]] = [lu[pivot * n + j], lu[k * n + j]];
      [order[k], order[pivot]] = [order[pivot], order[k]];
      sign = -sign;
    }
    logDet += Math.log(Math.abs(lu[k * n + k]));
    sign *= Math.sign(lu[k * n + k]);
    for (let i = k + 1; i < n; i++) {
      lu[i * n + k] /= lu[k * n + k];
      for (let j = k + 1; j < n; j++) lu[i * n + j] -= lu[i * n + k] * lu[k * n + j];
    }
  }
  return { lu, order, size: n, logDet, sign };
}

/** log det of a row-major square matrix; NaN of a determinant that is not positive. */
export function logDeterminant(matrix: Float64Array): number {
  const { logDet, sign } = factorise(matrix);
  return sign > 0 ? logDet : Number.NaN;
}

/** x = A^-1 x, in place. */
export function solveFactorised({ lu, order, size: n }: Factors, x: Float64Array): void {
  const right = Float64Array.from(order, (row) => x[row]);
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) right[i] -= lu[i * n + j] * right[j];
  for (let i = n - 1; i >= 0; i--) {
    for (let j = i + 1; j < n; j++) right[i] -= lu[i * n + j] * right[j];
    right[i] /= lu[i * n + i];
  }
  x.set(right);
}

/** x = A^-T x, in place. */
export function solveFactorisedTransposed({ lu, order, size: n }: Factors, x: Float64Array): void {
  const right = x.slice();
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) right[i] -= lu[j * n + i] * right[j];
    right[i] /= lu[i * n + i];
  }
  for (let i = n - 1; i >= 0; i--) for (let j = i + 1; j < n; j++) right[i] -= lu[j * n + i] * right[j];
  order.forEach((row, i) => {
    x[row] = right[i];
  });
}

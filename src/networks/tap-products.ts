/** The products W_k W_l^T of the taps of a 3 x 3 convolution, of which the squares of its norm are made. */
export class TapProducts {
  /** Rows of each tap. */
  readonly channels: number;
  /** W_k W_l^T for k >= l, by 9 k + l; the others are their transposes. */
  readonly #products: readonly (Float64Array | undefined)[];

  /** Of nine taps, channels x columns each, row-major. */
  constructor(taps: readonly Float64Array[], channels: number, columns: number) {
    this.channels = channels;
    this.#products = Array.from({ length: 81 }, (_, i) => {
      const [k, l] = [Math.floor(i / 9), i % 9];
      return k >= l ? timesTransposed(taps[k], taps[l], channels, columns) : undefined;
    });
  }

  /** sum += W_k W_l^T. */
  add(k: number, l: number, sum: Float64Array): void {
    const n = this.channels;
    const products = this.#products;
    const straight = products[9 * k + l];
    const mirrored = products[9 * l + k];
    if (straight) for (let i = 0; i < n * n; i++) sum[i] += straight[i];
    else if (mirrored)
      for (let o = 0, i = 0; o < n; o++) for (let c = 0; c < n; c++, i++) sum[i] += mirrored[c * n + o];
  }
}

/** A B^T of row-major rows x columns matrices. */
function timesTransposed(a: Float64Array, b: Float64Array, rows: number, columns: number): Float64Array {
  const product = new Float64Array(rows * rows);
  for (let o = 0, i = 0; o < rows; o++)
    for (let c = 0; c < rows; c++, i++) {
      let sum = 0;
      for (let k = 0; k < columns; k++) sum += a[o * columns + k] * b[c * columns + k];
      product[i] = sum;
    }
  return product;
}

/** T T^T of a zero-padded 3 x 3 convolution T on its grid, as a band matrix (`convolutionNormBound`). */
import { SymmetricBand } from "./symmetric-band.js";
import type { TapProducts } from "./tap-products.js";

/** Its rows, and how far from the diagonal its entries go. */
export function gramSize(channels: number, height: number, width: number): { size: number; reach: number } {
  const size = height * width * channels;
  return { size, reach: Math.min(size - 1, (2 * width + 3) * channels - 1) };
}

/** T T^T; the row of output o at (i, j) is (i width + j) channels + o. */
export function gramOnGrid(products: TapProducts, height: number, width: number): SymmetricBand {
  const n = products.channels;
  const { size, reach } = gramSize(n, height, width);
  const band = new SymmetricBand(size, reach);
  // The pairs of taps that meet in the grid, by what is missing at its edges, are the same for most outputs.
  const blocks = new Map<string, Float64Array>();
  for (let i = 0; i < height; i++)
    for (let j = 0; j < width; j++)
      for (let dy = -2; dy <= 0; dy++)
        for (let dx = -2; dx <= (dy < 0 ? 2 : 0); dx++) {
          const [y, x] = [i + dy, j + dx];
          if (y < 0 || x < 0 || x >= width) continue;
          const pairs: [number, number][] = [];
          for (let k = 0; k < 9; k++) {
            const [ky, kx] = [Math.floor(k / 3), k % 3];
            const [ly, lx] = [ky - dy, kx - dx];
            if (ly < 0 || ly > 2 || lx < 0 || lx > 2) continue;
            const [v, u] = [i + ky - 1, j + kx - 1];
            if (v >= 0 && v < height && u >= 0 && u < width) pairs.push([k, 3 * ly + lx]);
          }
          const key = pairs.join();
          let block = blocks.get(key);
          if (!block) {
            block = new Float64Array(n * n);
            for (const [k, l] of pairs) products.add(k, l, block);
            blocks.set(key, block);
          }
          const [top, left] = [(i * width + j) * n, (y * width + x) * n];
          for (let o = 0; o < n; o++) {
            const last = Math.min(n, top + o - left + 1);
            const row = band.row(top + o) + left;
            for (let c = 0; c < last; c++) band.entries[row + c] = block[o * n + c];
          }
        }
  return band;
}

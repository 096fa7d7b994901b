/**
 * Symmetric band matrices A, and a proof that no eigenvalue of A exceeds mu: the Cholesky factorisation of
 * mu I - A in floating point runs to its end (Rump 2006, "Verification of positive definiteness"). The factor R
 * that it finds has R^T R = mu I - A + E with |E_ij| <= gamma_(b+2) sqrt(d_i d_j) for diagonal entries d
 * (Demmel 1989), so that mu may be too small by what `slack` returns, and by no more.
 */
export class SymmetricBand {
  /** The lower half, a row after the other: column j of row i is at `row(i) + j`. */
  readonly entries: Float64Array;
  readonly size: number;
  /** A_ij = 0 where |i - j| > reach. */
  readonly reach: number;
  private readonly stride: number;
  private factor: Float64Array | undefined;

  constructor(size: number, reach: number) {
    this.size = size;
    this.reach = reach;
    // One more column than the band has, which stays zero: two rows of the factor start at the same column.
    this.stride = reach + 2;
    this.entries = new Float64Array(size * this.stride);
  }

  row(i: number): number {
    return i * this.stride + this.stride - 1 - i;
  }

  /** y = A x. */
  multiply(x: Float64Array, y: Float64Array): void {
    const { entries, size, reach } = this;
    for (let i = 0; i < size; i++) {
      const row = this.row(i);
      const xi = x[i];
      let sum = entries[row + i] * xi;
      for (let j = Math.max(0, i - reach); j < i; j++) {
        const entry = entries[row + j];
        sum += entry * x[j];
        y[j] += entry * xi;
      }
      y[i] = sum;
    }
  }

  /** The largest eigenvalue of at most `steps` steps of Lanczos: an estimate from below. */
  largestEigenvalue(steps: number): number {
    const { size } = this;
    const diagonal: number[] = [];
    const squares: number[] = [];
    let previous = new Float64Array(size);
    let current = Float64Array.from({ length: size }, (_, i) => Math.sin(i * i + 1));
    let next = new Float64Array(size);
    let beta = Math.sqrt(dot(current, current));
    for (let i = 0; i < size; i++) current[i] /= beta;
    beta = 0;
    for (let step = 0; step < Math.min(steps, size); step++) {
      this.multiply(current, next);
      const alpha = dot(current, next);
      for (let i = 0; i < size; i++) next[i] -= alpha * current[i] + beta * previous[i];
      diagonal.push(alpha);
      squares.push(beta * beta);
      beta = Math.sqrt(dot(next, next));
      if (!(beta > 1e-12 * Math.abs(alpha))) break;
      for (let i = 0; i < size; i++) next[i] /= beta;
      [previous, current, next] = [current, next, previous];
    }
    // Bisection: all pivots of (tridiagonal - x I) are negative where x exceeds every eigenvalue.
    let low = Math.max(...diagonal);
    let high = low + 2 * Math.sqrt(Math.max(...squares));
    for (let n = 0; n < 50; n++) {
      const x = (low + high) / 2;
      let pivot = Number.NEGATIVE_INFINITY;
      const above = diagonal.every((alpha, i) => {
        pivot = alpha - x - squares[i] / pivot;
        return pivot < 0;
      });
      if (above) high = x;
      else low = x;
    }
    return low;
  }

  /** Whether mu I - A has a Cholesky factor: then no eigenvalue of A exceeds mu + `slack(mu)`. */
  isBelow(mu: number): boolean {
    const { entries, size, reach, stride } = this;
    this.factor ??= new Float64Array(entries.length);
    const l = this.factor;
    for (let i = 0; i < l.length; i++) l[i] = -entries[i];
    for (let i = 0; i < size; i++) l[i * stride + stride - 1] += mu;

    // Two rows at a time, each against four rows above them: eight sums for six numbers read.
    for (let i = 0; i < size; i += 2) {
      const pair = i + 1 < size;
      const p = this.row(i);
      const q = pair ? this.row(i + 1) : p;
      const first = Math.max(0, i - reach);
      let j = first;
      for (; pair && j + 3 < i; j += 4) {
        const a = this.row(j);
        const b = this.row(j + 1);
        const c = this.row(j + 2);
        const d = this.row(j + 3);
        let pa = l[p + j];
        let pb = l[p + j + 1];
        let pc = l[p + j + 2];
        let pd = l[p + j + 3];
        let qa = l[q + j];
        let qb = l[q + j + 1];
        let qc = l[q + j + 2];
        let qd = l[q + j + 3];
        for (let k = first; k < j; k++) {
          const lp = l[p + k];
          const lq = l[q + k];
          const la = l[a + k];
          const lb = l[b + k];
          const lc = l[c + k];
          const ld = l[d + k];
          pa -= lp * la;
          pb -= lp * lb;
          pc -= lp * lc;
          pd -= lp * ld;
          qa -= lq * la;
          qb -= lq * lb;
          qc -= lq * lc;
          qd -= lq * ld;
        }
        pa /= l[a + j];
        qa /= l[a + j];
        pb = (pb - pa * l[b + j]) / l[b + j + 1];
        qb = (qb - qa * l[b + j]) / l[b + j + 1];
        pc = (pc - pa * l[c + j] - pb * l[c + j + 1]) / l[c + j + 2];
        qc = (qc - qa * l[c + j] - qb * l[c + j + 1]) / l[c + j + 2];
        pd = (pd - pa * l[d + j] - pb * l[d + j + 1] - pc * l[d + j + 2]) / l[d + j + 3];
        qd = (qd - qa * l[d + j] - qb * l[d + j + 1] - qc * l[d + j + 2]) / l[d + j + 3];
        l[p + j] = pa;
        l[p + j + 1] = pb;
        l[p + j + 2] = pc;
        l[p + j + 3] = pd;
        l[q + j] = qa;
        l[q + j + 1] = qb;
        l[q + j + 2] = qc;
        l[q + j + 3] = qd;
      }
      for (let r = i; r <= (pair ? i + 1 : i); r++) {
        const own = this.row(r);
        for (let m = j; m < r; m++) {
          const other = this.row(m);
          let sum = l[own + m];
          for (let k = first; k < m; k++) sum -= l[own + k] * l[other + k];
          l[own + m] = sum / l[other + m];
        }
        let pivot = l[own + r];
        for (let k = first; k < r; k++) pivot -= l[own + k] * l[own + k];
        if (!(pivot > 0)) return false;
        l[own + r] = Math.sqrt(pivot);
      }
    }
    return true;
  }

  /** What rounding in `isBelow(mu)` can hide, for A of no negative entry on its diagonal. */
  slack(mu: number): number {
    return (this.reach + 4) * (2 * this.reach + 2) * Number.EPSILON * mu;
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

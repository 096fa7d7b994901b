/** The losses of all steps, and their running mean. */
const SMOOTHING = 0.04;

export class Losses {
  count = 0;
  /** Batch losses in nats, of the steps 1, 2, ... */
  raw = new Float32Array(1024);
  smooth = new Float32Array(1024);
  #mean = Number.NaN;

  add(losses: Float64Array): void {
    while (this.count + losses.length > this.raw.length) {
      this.raw = doubled(this.raw);
      this.smooth = doubled(this.smooth);
    }
    for (const loss of losses) {
      // The first losses fall fast: their mean is taken over a sixth of the steps so far.
      const share = Math.max(SMOOTHING, 6 / (this.count + 6));
      this.#mean = this.count === 0 ? loss : this.#mean + share * (loss - this.#mean);
      this.raw[this.count] = loss;
      this.smooth[this.count] = this.#mean;
      this.count++;
    }
  }

  /** Forgets all steps after the first `count`. */
  truncate(count: number): void {
    this.count = Math.min(count, this.count);
    this.#mean = this.count > 0 ? this.smooth[this.count - 1] : Number.NaN;
  }

  get last(): number {
    return this.#mean;
  }
}

function doubled(values: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const more = new Float32Array(2 * values.length);
  more.set(values);
  return more;
}

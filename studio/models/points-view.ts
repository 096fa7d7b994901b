/** Points as the page shows them: they glide to where the worker says. */
const EASE_MS = 160;
const ENOUGH = 1e-3;

export class PointsView {
  /** x and y of each point in turn; empty before the first have arrived. */
  shown = new Float32Array(0);
  #target = new Float32Array(0);
  #moving = false;

  put(values: Float64Array): void {
    this.#target = Float32Array.from(values);
    // The first points stand at once; those of a diverged map may be anywhere.
    if (this.shown.length !== values.length) this.shown = this.#target.slice();
    this.#moving = true;
  }

  /** Moves towards the target for so many milliseconds; false once there is nothing left to move. */
  advance(milliseconds: number): boolean {
    if (!this.#moving) return false;
    const share = 1 - Math.exp(-milliseconds / EASE_MS);
    const { shown } = this;
    const target = this.#target;
    let moving = false;
    for (let i = 0; i < shown.length; i++) {
      const left = target[i] - shown[i];
      shown[i] = Number.isFinite(left) ? shown[i] + share * left : target[i];
      if (Math.abs(left) > ENOUGH) moving = true;
    }
    this.#moving = moving;
    return true;
  }
}

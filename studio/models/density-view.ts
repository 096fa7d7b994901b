/**
 * The density as the page shows it: it follows what the worker sends, part by part, and moves smoothly in between.
 */
import { PARTS, RESOLUTION, STRIDE } from "./messages.js";

const SIDE = RESOLUTION / STRIDE;
/** After so long, about two thirds of a change are shown. */
const EASE_MS = 130;
/** Changes below this share of the largest value need no more frames. */
const VISIBLE = 1e-3;

/** The part that a pixel belongs to, by the last two bits of its row and column. */
const PART_AT = Uint8Array.from({ length: STRIDE * STRIDE }, (_, i) =>
  PARTS.findIndex(([column, row]) => row === i >> 2 && column === (i & 3)),
);

export class DensityView {
  /** RESOLUTION x RESOLUTION, row 0 at the bottom. */
  readonly shown = new Float32Array(RESOLUTION * RESOLUTION);
  readonly #target = new Float32Array(RESOLUTION * RESOLUTION);
  readonly #change = new Float32Array(SIDE * SIDE);
  /** The step that each part shows. */
  readonly #steps = new Float64Array(PARTS.length).fill(-1);
  #moving = false;
  /** The largest value of the target. */
  most = 0;

  /**
   * A part has arrived. Its change is spread over the pixels of older parts as well: these then do not stand out as a
   * pattern, and the first part gives a whole picture. With all parts of one step the picture is exact.
   */
  put(step: number, part: number, values: Float64Array): void {
    const steps = this.#steps;
    steps[part] = step;
    const [left, bottom] = PARTS[part];
    const target = this.#target;
    const change = this.#change;
    // Of a model that diverges, anything may come.
    const given = values.map((value) => (Number.isFinite(value) ? value : 0));
    const most = given.reduce((largest, value) => Math.max(largest, value), 0);
    for (let row = 0, i = 0; row < SIDE; row++) {
      let at = (bottom + row * STRIDE) * RESOLUTION + left;
      for (let column = 0; column < SIDE; column++, i++, at += STRIDE) change[i] = given[i] - target[at];
    }
    for (let y = 0; y < RESOLUTION; y++) {
      const v = Math.min(SIDE - 1, Math.max(0, (y - bottom) / STRIDE));
      const v0 = Math.floor(v);
      const below = v0 * SIDE;
      const above = Math.min(SIDE - 1, v0 + 1) * SIDE;
      const t = v - v0;
      for (let x = 0; x < RESOLUTION; x++) {
        const own = PART_AT[((y & 3) << 2) | (x & 3)];
        if (own !== part && steps[own] >= step) continue;
        const u = Math.min(SIDE - 1, Math.max(0, (x - left) / STRIDE));
        const u0 = Math.floor(u);
        const u1 = Math.min(SIDE - 1, u0 + 1);
        const s = u - u0;
        const low = change[below + u0] * (1 - s) + change[below + u1] * s;
        const high = change[above + u0] * (1 - s) + change[above + u1] * s;
        const spread = target[y * RESOLUTION + x] + low * (1 - t) + high * t;
        target[y * RESOLUTION + x] = spread < 0 ? 0 : spread > most ? most : spread;
      }
    }
    for (let row = 0, i = 0; row < SIDE; row++) {
      let at = (bottom + row * STRIDE) * RESOLUTION + left;
      for (let column = 0; column < SIDE; column++, i++, at += STRIDE) target[at] = given[i];
    }
    this.most = target.reduce((most, value) => Math.max(most, value), 0);
    this.#moving = true;
  }

  /** Moves towards the target for so many milliseconds; false once there is nothing left to move. */
  advance(milliseconds: number): boolean {
    if (!this.#moving) return false;
    const share = 1 - Math.exp(-milliseconds / EASE_MS);
    const { shown } = this;
    const target = this.#target;
    const enough = VISIBLE * this.most;
    // From far outside of the picture's range the way would take too long.
    const far = 2 * this.most;
    let moving = false;
    for (let i = 0; i < shown.length; i++) {
      const left = target[i] - shown[i];
      shown[i] = left < -far ? target[i] : shown[i] + share * left;
      if (left > enough || left < -enough) moving = true;
    }
    this.#moving = moving;
    return true;
  }
}

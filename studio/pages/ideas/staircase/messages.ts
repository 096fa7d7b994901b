/** What the page of the staircase and its worker say to each other. */
export type StaircaseOrder =
  | {
      readonly kind: "make";
      readonly growth: number;
      readonly batch: number;
      readonly steps: number;
      readonly seed: number;
    }
  /** A slice of training. */
  | { readonly kind: "go" };

export interface StaircaseNews {
  readonly kind: "fits";
  readonly step: number;
  readonly done: boolean;
  /** For each variant. */
  readonly fits: readonly StaircaseFit[];
}

export interface StaircaseFit {
  /** F(x) on the grid; NaN where it failed, at so many points. */
  readonly value: Float32Array;
  readonly failed: number;
  /** The loss of each step of this slice; NaN where a solve of the step missed its tolerance. */
  readonly losses: readonly number[];
}

/** Of the grid: the middles of equal cells of [-2, 2]. */
export const POINTS = 240;
export const xOf = (i: number) => -2 + (4 * (i + 0.5)) / POINTS;

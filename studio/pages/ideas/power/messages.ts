/** What the page of expressive power and its worker say to each other. */
import type { Point } from "../../../../src/experiments/theory/balls.js";
import type { Formulation } from "../../../library.js";

/** A few more steps towards the target, with everything as it is on the page now. */
export interface PowerOrder {
  readonly lipschitz: number;
  readonly p: Point;
  readonly target: Point;
  /** Of the networks: another one begins from other weights. */
  readonly seed: number;
}

export interface PowerNews {
  readonly kind: "reached";
  readonly order: PowerOrder;
  /** Where each formulation carries p; NaN where that could not be computed. */
  readonly q: Record<Formulation, Point>;
  /** Since the last change of p, the target or the bound. */
  readonly step: number;
  readonly done: boolean;
}

export const STEPS = 500;

/** What the page of strong monotonicity and its worker say to each other. */
import type { Aim } from "../../../../src/experiments/theory/slope-networks.js";
import type { Formulation } from "../../../library.js";

export type SlopesOrder =
  /** Other networks, or the same ones with another bound on Lip(G). */
  | { readonly kind: "make"; readonly lipschitz: number; readonly seed: number }
  /** A few more steps of training, and curves again. */
  | { readonly kind: "go" };

export interface SlopeCurve {
  readonly formulation: Formulation;
  readonly aim: Aim | "random";
  /** F(x) - F(0) and dF/dx on the grid; NaN where they failed, at so many points. */
  readonly value: Float32Array;
  readonly slope: Float32Array;
  readonly failed: number;
}

export interface SlopesNews {
  readonly kind: "curves";
  readonly lipschitz: number;
  readonly curves: readonly SlopeCurve[];
  readonly step: number;
  readonly done: boolean;
}

export const END = 3;
/** Odd, so that 0 is one of them. */
export const POINTS = 121;
export const STEPS = 400;

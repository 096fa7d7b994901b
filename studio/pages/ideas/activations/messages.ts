/** What the page of activations and its worker say to each other. */
import type { WeightLaw } from "../../../../src/experiments/theory/gradient-norms.js";

export type NetworkKind = "multilayer" | "dense";

/** Gradient norms through a few random networks, more of them with each `round`. */
export interface DepthOrder {
  readonly kind: NetworkKind;
  readonly law: WeightLaw;
  readonly depth: number;
  readonly activation: string;
  readonly round: number;
}

export interface DepthNews {
  readonly kind: "norms";
  readonly order: DepthOrder;
  readonly norms: readonly number[];
}

export const DEPTHS = [1, 2, 4, 8, 16, 32] as const;
/** Rounds for each depth. */
export const ROUNDS = 8;
/** Networks of a round. */
export const NETWORKS = 2;
export const INPUTS = 16;

/** An activation at one number, where its learned parameter starts. */
import type { Activation } from "../../activations/activation.js";
import { numbers, type PointwiseJet } from "../../engine/pointwise.js";

/** Value, first and second derivative of each output. */
export function jets(activation: Activation, x: number): PointwiseJet<number>[] {
  const { learned } = activation;
  return activation.jets(numbers, x, learned ? learned.link(learned.initial) : 0);
}

/** The length of the derivatives of all outputs: the local Lipschitz constant. */
export function slopeLength(activation: Activation, x: number): number {
  return Math.hypot(...jets(activation, x).map(({ first }) => first));
}

/**
 * Clipping of the gradient (Pascanu et al. 2013), as PyTorch's `clip_grad_norm_`: g *= min(1, length / (|g| + 1e-6)), |g|
 * the 2-norm over all parameters that are learned at that step (`learnFrom`).
 */
import type { Parameters } from "../model/parameters.js";

const EPSILON = 1e-6;

/** Scales the gradients of the parameters that are learned at this step (counted from 0) down to that length together. */
export function clipGradient({ list }: Parameters, step: number, length: number): void {
  const clipped = list.filter(({ learned, learnFrom }) => learned && step >= learnFrom);
  let squares = 0;
  for (const { gradient } of clipped) for (let i = 0; i < gradient.length; i++) squares += gradient[i] ** 2;
  const scale = length / (Math.sqrt(squares) + EPSILON);
  if (scale >= 1) return;
  for (const { gradient } of clipped) for (let i = 0; i < gradient.length; i++) gradient[i] *= scale;
}

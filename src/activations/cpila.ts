/**
 * Concatenated Pila (Ahn et al. 2022, section on CPila), k = 5:
 *   Pila(x) = x                                for x > 0,
 *             (k^2/2 x^3 - k x^2 + x) e^(k x)  otherwise,
 *   CPila(x) = [Pila(x - 0.2), Pila(-x - 0.2)] / 1.06.
 * Pila is twice continuously differentiable and its slope does not saturate at 1.
 */
import type { Arithmetic, PointwiseJet } from "../engine/pointwise.js";
import { type Activation, mirrored } from "./activation.js";

const K = 5;
const SHIFT = 0.2;
const SCALE = 1.06;
/** Where e^(k x) has vanished in float64, and powers of x are far from overflow in float32. */
const LEAST = -200;

/** The jet of Pila(x) / 1.06, given e^(k x), which is looked at only where x <= 0. */
function scaledPila<T>(m: Arithmetic<T>, x: T, exponential: T): PointwiseJet<T> {
  const low = m.maximum(x, LEAST);
  const polynomial = (...coefficients: number[]) =>
    coefficients
      .map((c) => m.constant(c / SCALE))
      .reduce((sum, coefficient) => m.add(m.multiply(sum, low), coefficient));
  const negative = (p: T) => m.multiply(p, exponential);
  // With p(x) = k^2/2 x^3 - k x^2 + x: (p e^(kx))' = (p' + k p) e^(kx), and once more for the second.
  const value = polynomial(K ** 2 / 2, -K, 1, 0);
  const first = polynomial(K ** 3 / 2, K ** 2 / 2, -K, 1);
  const second = m.multiply(m.multiply(low, low), polynomial(K ** 4 / 2, 2 * K ** 3));
  return {
    value: m.ifPositive(x, m.multiply(x, m.constant(1 / SCALE)), negative(value)),
    first: m.ifPositive(x, m.constant(1 / SCALE), negative(first)),
    second: m.ifPositive(x, m.constant(0), negative(second)),
  };
}

export const cpila: Activation = {
  name: "CPila",
  outputs: 2,
  lipschitz: 1,
  jets(m, x) {
    // One exponential serves both outputs: e^(-k|x|) and its reciprocal are e^(kx) and e^(-kx), one way
    // round or the other. Where the reciprocal overflows, the linear branch is the one that counts.
    const zero = m.constant(0);
    const small = m.exp(m.multiply(m.absolute(x), m.constant(-K)));
    const large = m.divide(m.constant(1), small);
    const shifted = m.constant(Math.exp(-K * SHIFT));
    const rising = m.multiply(shifted, m.ifPositive(x, large, small));
    const falling = m.multiply(shifted, m.ifPositive(x, small, large));
    const shift = m.constant(SHIFT);
    return [
      scaledPila(m, m.subtract(x, shift), rising),
      mirrored(m, scaledPila(m, m.subtract(m.subtract(zero, x), shift), falling)),
    ];
  },
};

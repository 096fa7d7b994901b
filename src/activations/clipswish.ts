/**
 * Concatenated LipSwish (Perugachi-Diaz, Tomczak, Bhulai 2021; LipSwish: Chen et al. 2019):
 *   LipSwish(x) = x sigmoid(x softplus(beta)) / 1.1, with beta learned from 0.5,
 *   CLipSwish(x) = [LipSwish(x), LipSwish(-x)] / 1.004.
 * The formula's parameter is s = softplus(beta).
 */
import type { Arithmetic, PointwiseJet } from "../engine/pointwise.js";
import { type Activation, mirrored } from "./activation.js";

const SCALE = 1.1 * 1.004;

/** The jet of x sigmoid(s x) / SCALE, given p = sigmoid(s x). */
function scaledSwish<T>(m: Arithmetic<T>, x: T, s: T, p: T): PointwiseJet<T> {
  const scale = m.constant(1 / SCALE);
  const one = m.constant(1);
  const two = m.constant(2);
  const u = m.multiply(s, x);
  const slope = m.multiply(scale, m.multiply(p, m.subtract(one, p))); // sigmoid'(u) / SCALE
  const bend = m.multiply(u, m.subtract(one, m.multiply(two, p))); // u sigmoid''(u) / sigmoid'(u)
  return {
    value: m.multiply(scale, m.multiply(x, p)),
    first: m.add(m.multiply(scale, p), m.multiply(u, slope)),
    second: m.multiply(s, m.multiply(slope, m.add(two, bend))),
    byParameter: {
      value: m.multiply(m.multiply(x, x), slope),
      first: m.multiply(x, m.multiply(slope, m.add(two, bend))),
    },
  };
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

export const clipswish: Activation = {
  name: "CLipSwish",
  outputs: 2,
  lipschitz: 1,
  learned: {
    name: "beta",
    initial: 0.5,
    link: (beta) => Math.log1p(Math.exp(-Math.abs(beta))) + Math.max(beta, 0),
    linkDerivative: sigmoid,
  },
  jets(m, x, s) {
    // sigmoid(-u) = 1 - sigmoid(u) = e^-|u| / (1 + e^-|u|) on the positive side: one exponential, no overflow.
    const zero = m.constant(0);
    const one = m.constant(1);
    const u = m.multiply(s, x);
    const e = m.exp(m.subtract(zero, m.absolute(u)));
    const high = m.divide(one, m.add(one, e));
    const low = m.multiply(e, high);
    return [
      scaledSwish(m, x, s, m.ifPositive(u, high, low)),
      mirrored(m, scaledSwish(m, m.subtract(zero, x), s, m.ifPositive(u, low, high))),
    ];
  },
};

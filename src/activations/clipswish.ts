/**
 * LipSwish (Chen et al. 2019) and Concatenated LipSwish (Perugachi-Diaz, Tomczak, Bhulai 2021):
 *   LipSwish(x) = x sigmoid(x softplus(beta)) / 1.1, with beta learned from 0.5,
 *   CLipSwish(x) = [LipSwish(x), LipSwish(-x)] / 1.004.
 * The formula's parameter is s = softplus(beta).
 */
import type { Arithmetic, PointwiseJet } from "../engine/pointwise.js";
import { type Activation, mirrored } from "./activation.js";

const SCALE = 1.1;
const CONCATENATED = 1.004;
/** Beyond this, slopes are those at infinity; its square and its product with s are far from overflow in float32. */
const FAR = 1e18;

/** The jet of x sigmoid(s x) / divisor, given p = sigmoid(s x). */
function scaledSwish<T>(m: Arithmetic<T>, x: T, s: T, p: T, divisor: number): PointwiseJet<T> {
  const scale = m.constant(1 / divisor);
  const one = m.constant(1);
  const two = m.constant(2);
  const low = m.maximum(x, -FAR);
  const near = m.minimum(low, FAR);
  const u = m.multiply(s, near);
  const slope = m.multiply(scale, m.multiply(p, m.subtract(one, p))); // sigmoid'(u) / SCALE
  const bend = m.multiply(u, m.subtract(one, m.multiply(two, p))); // u sigmoid''(u) / sigmoid'(u)
  return {
    value: m.multiply(scale, m.multiply(low, p)),
    first: m.add(m.multiply(scale, p), m.multiply(u, slope)),
    second: m.multiply(s, m.multiply(slope, m.add(two, bend))),
    byParameter: {
      value: m.multiply(m.multiply(near, near), slope),
      first: m.multiply(near, m.multiply(slope, m.add(two, bend))),
    },
  };
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** Where the slope of the sigmoid's curve comes from: beta, by softplus. */
const beta = {
  name: "beta",
  initial: 0.5,
  link: (raw: number) => Math.log1p(Math.exp(-Math.abs(raw))) + Math.max(raw, 0),
  linkDerivative: sigmoid,
};

/** sigmoid(u) and sigmoid(-u) from one exponential that does not overflow: e^-|u| / (1 + e^-|u|) is the smaller. */
function sigmoids<T>(m: Arithmetic<T>, u: T): { rising: T; falling: T } {
  const one = m.constant(1);
  const e = m.exp(m.subtract(m.constant(0), m.absolute(u)));
  const high = m.divide(one, m.add(one, e));
  const low = m.multiply(e, high);
  return { rising: m.ifPositive(u, high, low), falling: m.ifPositive(u, low, high) };
}

export const lipswish: Activation = {
  name: "LipSwish",
  outputs: 1,
  lipschitz: 1,
  learned: beta,
  jets: (m, x, s) => [scaledSwish(m, x, s, sigmoids(m, m.multiply(s, x)).rising, SCALE)],
};

export const clipswish: Activation = {
  name: "CLipSwish",
  outputs: 2,
  lipschitz: 1,
  learned: beta,
  jets(m, x, s) {
    const { rising, falling } = sigmoids(m, m.multiply(s, x));
    const divisor = SCALE * CONCATENATED;
    const negative = m.subtract(m.constant(0), x);
    return [
      scaledSwish(m, x, s, rising, divisor),
      mirrored(m, scaledSwish(m, negative, s, falling, divisor)),
    ];
  },
};

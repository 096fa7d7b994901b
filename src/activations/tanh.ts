/** tanh(x), through e^(-2|x|) so that nothing overflows. */
import type { Activation } from "./activation.js";

export const tanh: Activation = {
  name: "tanh",
  outputs: 1,
  lipschitz: 1,
  jets(m, x) {
    const zero = m.constant(0);
    const one = m.constant(1);
    const e = m.exp(m.multiply(m.constant(-2), m.absolute(x)));
    const magnitude = m.divide(m.subtract(one, e), m.add(one, e));
    const value = m.ifPositive(x, magnitude, m.subtract(zero, magnitude));
    const first = m.subtract(one, m.multiply(value, value));
    return [{ value, first, second: m.multiply(m.constant(-2), m.multiply(value, first)) }];
  },
};

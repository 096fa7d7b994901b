/** ELU(x) = x for x > 0, e^x - 1 otherwise (Clevert, Unterthiner, Hochreiter 2016). */
import type { Activation } from "./activation.js";

export const elu: Activation = {
  name: "ELU",
  outputs: 1,
  lipschitz: 1,
  jets(m, x) {
    const zero = m.constant(0);
    const one = m.constant(1);
    const exponential = m.exp(m.minimum(x, 0));
    return [
      {
        value: m.ifPositive(x, x, m.subtract(exponential, one)),
        first: m.ifPositive(x, one, exponential),
        second: m.ifPositive(x, zero, exponential),
      },
    ];
  },
};

/** ReLU(x) = max(x, 0), and concatenated: CReLU(x) = [ReLU(x), ReLU(-x)] (Shang et al. 2016). */
import type { Arithmetic, PointwiseJet } from "../engine/pointwise.js";
import { type Activation, mirrored } from "./activation.js";

function rectified<T>(m: Arithmetic<T>, x: T): PointwiseJet<T> {
  return { value: m.maximum(x, 0), first: m.step(x), second: m.constant(0) };
}

export const relu: Activation = {
  name: "ReLU",
  outputs: 1,
  lipschitz: 1,
  jets: (m, x) => [rectified(m, x)],
};

export const crelu: Activation = {
  name: "CReLU",
  outputs: 2,
  lipschitz: 1,
  jets: (m, x) => [rectified(m, x), mirrored(m, rectified(m, m.subtract(m.constant(0), x)))],
};

/** Draws random networks and measures the gradients through them. */
import { gradientNorms } from "../../../../src/experiments/theory/gradient-norms.js";
import { serve } from "../../../models/serve.js";
import { type DepthNews, type DepthOrder, INPUTS, NETWORKS } from "./messages.js";

serve<DepthOrder, DepthNews>(async (order) => {
  // The same seed gives every activation the same weights and inputs.
  const { norms } = await gradientNorms({
    ...order,
    seed: order.round,
    networks: NETWORKS,
    inputsOfEach: INPUTS,
  });
  return { kind: "norms", order, norms };
});

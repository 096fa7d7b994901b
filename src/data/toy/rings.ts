import { noisyCircles } from "./noisy-circles.js";

// -p log p summed over [-6, 6]^2 at steps of 0.02 and 0.0125: equal to six digits.
const ENTROPY = 2.623183;

/** Four circles of radius 1, 0.75, 0.5 and 0.25, enlarged three times; then noise 0.08. */
export const rings = noisyCircles("rings", ENTROPY, [3, 2.25, 1.5, 0.75], 0.08);

import { noisyCircles } from "./noisy-circles.js";

// -p log p summed over [-6, 6]^2 at steps of 0.02 and 0.0125: equal to six digits.
const ENTROPY = 3.268136;

/** Two circles of radius 1 and 0.5 with noise 0.08, all enlarged three times. */
export const circles = noisyCircles("circles", ENTROPY, [3, 1.5], 3 * 0.08);

/** What is said of a model without a certificate: its blocks may be no bijections. */
import { type Flow, uncertifiedBlocks } from "../library.js";

/** In words; null if all blocks are certified. */
export function uncertifiedInWords(flow: Flow): string | null {
  const blocks = uncertifiedBlocks(flow);
  if (blocks.length === 0) return null;
  const worst = blocks.reduce((a, b) => (b.lipschitzBound > a.lipschitzBound ? b : a));
  return (
    `This model is not certified: nothing proves that block ${worst.block} is invertible, as the bound on its network's Lipschitz ` +
    `constant is ${worst.lipschitzBound.toFixed(4)}, not below 1. Solves may fail, and densities be wrong.`
  );
}

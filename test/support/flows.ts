/** Flows that are nothing like the identity, as trained ones are. */
import type { Flow } from "../../src/flows/flow.js";
import type { Random } from "../../src/model/random.js";
import { randomise } from "./networks.js";

/**
 * Draws the weights by `randomise` (scale `weights`), and the shifts and log-scales of actnorms from a normal distribution of
 * the deviation `actnorms`. The spectral norms have converged then.
 */
export async function farFromIdentity(
  flow: Flow,
  random: Random,
  { weights = 2, actnorms = 0.3 } = {},
): Promise<Flow> {
  randomise(flow.parameters, random, weights);
  for (const { name, values } of flow.parameters.list) {
    if (/shift|logScale/.test(name)) values.set(values.map(() => actnorms * random.normal()));
  }
  await flow.convergeNorms();
  return flow;
}

import type { Engine } from "../../src/engine/engine.js";
import { Parameters } from "../../src/engine/parameters.js";
import { Network, type NetworkDeclaration } from "../../src/networks/network.js";
import { testRandom } from "./rows.js";

export interface NetworkOptions extends Partial<NetworkDeclaration> {
  dim?: number;
  seed?: number;
  /** Factor on the fresh weights: above about 2, the limit on the spectral norms binds in every layer. */
  weightScale?: number;
}

/** A small network, its weights scaled and its spectral norms settled; `prepare` is left to the caller. */
export function smallNetwork(engine: Engine, options: NetworkOptions = {}) {
  const { dim = 2, seed = 0, weightScale = 1, ...declaration } = options;
  const parameters = new Parameters();
  const network = new Network(
    engine,
    parameters,
    "g",
    dim,
    {
      kind: "dense",
      depth: 2,
      growth: 4,
      activation: "CPila",
      coeff: 0.9,
      lip: 0.98,
      powerIterations: 5,
      learnConcatenationFrom: 0,
      ...declaration,
    },
    testRandom(seed),
  );
  parameters.seal();
  for (const { name, values } of parameters.list) {
    if (name.includes("weight")) values.set(values.map((w) => weightScale * w));
  }
  network.iterate(500);
  return { network, parameters };
}

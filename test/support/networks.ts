import type { Engine } from "../../src/engine/engine.js";
import type { FlowDeclaration } from "../../src/flows/declaration.js";
import { Parameters } from "../../src/model/parameters.js";
import type { Random } from "../../src/model/random.js";
import type { NetworkDeclaration } from "../../src/networks/declaration.js";
import { LipschitzNetwork } from "../../src/networks/lipschitz-network.js";
import { testRandom } from "./rows.js";

export interface NetworkOptions extends Partial<NetworkDeclaration> {
  dim?: number;
  seed?: number;
  /** See `randomise`. */
  weightScale?: number;
}

/**
 * Draws weights uniformly on +-scale/sqrt(fan-in) and biases on +-1/sqrt(fan-out), whatever the package starts
 * with. From a scale of about 2 on, the limit on the spectral norms binds in every layer.
 */
export function randomise(parameters: Parameters, random: Random, scale: number): void {
  for (const { name, shape, values } of parameters.list) {
    const draw = (bound: number) => values.set(values.map(() => bound * (2 * random.uniform() - 1)));
    if (name.includes("weight")) draw(scale / Math.sqrt(shape[1]));
    if (name.includes("bias")) draw(1 / Math.sqrt(shape[0]));
  }
}

/** The declaration with norms that are limited by estimates alone: see `unlimit`. */
export const byEstimates = (declaration: FlowDeclaration): FlowDeclaration => ({
  ...declaration,
  bijections: declaration.bijections.map((bijection) =>
    "network" in bijection
      ? { ...bijection, network: { ...bijection.network, limit: "estimated" as const } }
      : bijection,
  ),
});

/**
 * Takes the limit off every weight, as vectors of a power iteration that was misled would, and makes the weights that
 * many times as large: with a factor large enough, networks are no contractions, and solves fail.
 */
export function unlimit(parameters: Parameters, factor: number): void {
  for (const { name, values } of parameters.list) {
    if (/\.left\.\d+$/.test(name)) values.fill(0);
    if (/\.weight\.\d+$/.test(name)) values.set(values.map((value) => factor * value));
  }
}

/** A small random network whose spectral norms have converged; `prepare` is left to the caller. */
export function smallNetwork(engine: Engine, options: NetworkOptions = {}) {
  const { dim = 2, seed = 0, weightScale = 1, ...declaration } = options;
  const parameters = new Parameters();
  const random = testRandom(seed);
  const network = new LipschitzNetwork(
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
    random,
  );
  parameters.seal();
  randomise(parameters, random, weightScale);
  void network.iterate(500); // Matrices: at once.
  return { network, parameters };
}

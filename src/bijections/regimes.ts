/**
 * The regimes of a chain's networks: exact where the chain is, else stochastic. Blocks go forwards and backwards one after
 * the other, so they share the memory that lasts no longer than a call where they can.
 */
import type { Engine } from "../engine/engine.js";
import type { Estimator } from "../logdet/estimator.js";
import { Probes } from "../logdet/probes.js";
import type { ParameterMaker } from "../model/parameters.js";
import type { Random } from "../model/random.js";
import { kernelsOf, type NetworkDeclaration } from "../networks/declaration.js";
import { LipschitzNetwork } from "../networks/lipschitz-network.js";
import { placesOf, type Shape } from "../shape.js";
import { ExactRegime } from "./exact-regime.js";
import type { Regime } from "./regime.js";
import { StochasticRegime } from "./stochastic-regime.js";

export class Regimes {
  readonly #engine: Engine;
  readonly #capacity: number;
  readonly #estimator: Estimator | undefined;
  readonly #probes: Probes | null;
  readonly #exact = new Map<string, ExactRegime>();
  #stochastic: StochasticRegime | undefined;

  constructor(engine: Engine, capacity: number, estimator: Estimator | undefined) {
    this.#engine = engine;
    this.#capacity = capacity;
    this.#estimator = estimator;
    this.#probes = estimator ? new Probes(estimator) : null;
  }

  /** A network of that declaration for inputs of that shape, in its regime. */
  make(
    parameters: ParameterMaker,
    name: string,
    declaration: NetworkDeclaration,
    shape: Shape,
    random: Random,
  ): Regime {
    const engine = this.#engine;
    const { channels, height, width } = shape;
    const grid = placesOf(shape) > 1 || kernelsOf(declaration).includes(3) ? { height, width } : null;
    const network = new LipschitzNetwork(engine, parameters, name, channels, declaration, random, grid);
    if (this.#estimator && this.#probes) {
      const { tolerance } = this.#estimator;
      const regime = new StochasticRegime(network, {
        engine,
        capacity: this.#capacity,
        probes: this.#probes,
        tolerance,
        sharing: this.#stochastic,
      });
      this.#stochastic ??= regime;
      return regime;
    }
    const key = JSON.stringify([channels, declaration]);
    const regime = new ExactRegime(engine, network, this.#capacity, this.#exact.get(key));
    if (!this.#exact.has(key)) this.#exact.set(key, regime);
    return regime;
  }
}

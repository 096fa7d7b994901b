/** How a kind of bijection enters the package: what its declaration says, the shape that comes out, how it is made. */
import type { Engine } from "../engine/engine.js";
import type { Kind } from "../kinds.js";
import type { ParameterMaker } from "../model/parameters.js";
import type { Random } from "../model/random.js";
import type { NetworkDeclaration } from "../networks/declaration.js";
import type { Shape } from "../shape.js";
import type { Bijection } from "./bijection.js";
import type { Regime } from "./regime.js";

/** What a bijection is made from, at its place in a chain. */
export interface Site {
  /** Where it computes. */
  readonly engine: Engine;
  /** Makes its parameters. */
  readonly parameters: ParameterMaker;
  /** The names of its parameters start with it, and a dot. */
  readonly name: string;
  /** Of its input. */
  readonly shape: Shape;
  /** Samples that a pass can take, as lanes: a multiple of the engine's. */
  readonly capacity: number;
  /** For its first weights. */
  readonly random: Random;
  /** A network of its own, from the channels of `shape` to as many, in the flow's regime: exact or stochastic. */
  regime(network: NetworkDeclaration): Regime;
}

/** What a flow's declaration costs; parts add theirs. */
export interface CostSum {
  /** So many learned numbers, in float64 with their gradients and moments. */
  learns(numbers: number): void;
  /** So many numbers on the engine, under a name that an error may show. */
  keeps(part: string, numbers: number): void;
  /** So many multiplications and additions a pass. */
  works(operations: number): void;
  /** A network in the flow's regime, for an input of that shape. */
  network(declaration: NetworkDeclaration, shape: Shape): void;
}

/** One kind of bijection. All that the package knows of it stands in the file that exports this. */
export interface BijectionKind<Declaration extends { kind: string } = { kind: string }>
  extends Kind<Declaration> {
  /**
   * The shape of what comes out (default: that of the input). If it has fewer numbers, the bijection still works on all of
   * the input; the first numbers of its output go on, and the others leave the chain for the latent. Throws a `usage` error
   * for a shape that it cannot work on.
   */
  shapeAfter?(shape: Shape, declaration: Declaration): Shape;
  /** Adds what it costs, for inputs of that shape and passes of `capacity` samples (default: nothing). */
  cost?(sum: CostSum, declaration: Declaration, shape: Shape, capacity: number): void;
  /** The bijection of a declaration that the schema has checked. */
  make(declaration: Declaration, site: Site): Bijection;
}

/** What residual, inverse-residual and monotone blocks have in common: a network in a regime. */
import type { Engine, Matrix } from "../engine/engine.js";
import type { Schema } from "../kinds.js";
import type { Factors } from "../linear-algebra.js";
import type { PassKey } from "../logdet/probes.js";
import type { NetworkDeclaration } from "../networks/declaration.js";
import type { LipschitzNetwork } from "../networks/lipschitz-network.js";
import type { SolverCounts } from "../solvers/newton.js";
import type { Bijection } from "./bijection.js";
import type { BijectionKind } from "./kind.js";
import type { Regime } from "./regime.js";
import { slopeBounds } from "./slopes.js";

/** The equation that a block is made of, w + G(w) = sum, for an input and its output. */
export interface Equation {
  /** w, where G is evaluated. */
  readonly point: Float64Array;
  readonly sum: Float64Array;
}

export abstract class LipschitzBlock implements Bijection {
  abstract readonly kind: keyof typeof slopeBounds;
  protected readonly engine: Engine;
  protected readonly regime: Regime;

  constructor(engine: Engine, regime: Regime) {
    this.engine = engine;
    this.regime = regime;
  }

  abstract forward(out: Matrix, input: Matrix, logDet: Matrix | null, pass: PassKey): Promise<void>;
  abstract inverse(out: Matrix, input: Matrix, logDet: Matrix | null, pass: PassKey): Promise<void>;
  abstract backward(
    inputBar: Matrix,
    outputBar: Matrix,
    logDetBar: Matrix | null,
    pass: PassKey,
  ): Promise<void>;

  /** Its equation for an input x with the output y = F(x). */
  abstract equation(x: Float64Array, y: Float64Array): Equation;
  /** log|det dF/dx| of the factors of I + J, J the Jacobian of G at the point of the equation. */
  abstract logDetOf(plusIdentity: Factors): number;

  get network(): LipschitzNetwork {
    return this.regime.network;
  }

  get counts(): SolverCounts {
    return this.regime.counts;
  }

  prepare(): void {
    this.network.prepare();
  }

  get gradientLength(): number {
    return this.network.gradientLength;
  }

  takeGradient(out: Float64Array): Promise<void> {
    return this.network.takeGradient(out);
  }

  pullBack(gradient: Float64Array): void {
    this.network.pullBack(gradient);
  }

  iterate(rounds = this.network.declaration.powerIterations): Promise<void> {
    return this.network.iterate(rounds);
  }

  startNorms(): Promise<void> {
    return this.network.startNorms();
  }

  makeCertain(): void {
    this.network.makeCertain();
  }

  /** A certified upper bound on the Lipschitz constant of G; see `LipschitzNetwork.lipschitzBound`. */
  lipschitzBound(effort?: "certain" | "tight"): number {
    return this.network.lipschitzBound(effort);
  }

  slopes(): readonly [number, number] {
    return slopeBounds[this.kind](this.lipschitzBound());
  }
}

/** The blocks of a chain that hold a network, with their places from 0. */
export function lipschitzBlocks(chain: readonly Bijection[]): { index: number; block: LipschitzBlock }[] {
  return chain.flatMap((block, index) => (block instanceof LipschitzBlock ? [{ index, block }] : []));
}

/** The kind of a block on a network that stands in its declaration. */
export function blockKind<Declaration extends { kind: string; network: NetworkDeclaration }>(
  kind: Declaration["kind"],
  schema: Schema<Declaration>,
  make: (engine: Engine, regime: Regime, declaration: Declaration) => LipschitzBlock,
): BijectionKind<Declaration> {
  return {
    kind,
    schema,
    cost: (sum, { network }, shape) => sum.network(network, shape),
    make: (declaration, { engine, regime }) => make(engine, regime(declaration.network), declaration),
  };
}

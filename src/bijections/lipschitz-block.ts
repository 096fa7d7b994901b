/** What residual, inverse-residual and monotone blocks have in common: a network in a regime. */
import type { Engine, Matrix } from "../engine/engine.js";
import type { Network } from "../networks/network.js";
import type { SolverCounts } from "../solvers/newton.js";
import type { Bijection } from "./bijection.js";
import type { Regime } from "./regime.js";

export abstract class LipschitzBlock implements Bijection {
  abstract readonly kind: string;
  protected readonly engine: Engine;
  protected readonly regime: Regime;

  constructor(engine: Engine, regime: Regime) {
    this.engine = engine;
    this.regime = regime;
  }

  abstract forward(out: Matrix, input: Matrix, logDet: Matrix | null): Promise<void>;
  abstract inverse(out: Matrix, input: Matrix, logDet: Matrix | null): Promise<void>;
  abstract backward(inputBar: Matrix, outputBar: Matrix, logDetBar: Matrix | null): Promise<void>;

  get network(): Network {
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

  makeCertain(): void {
    this.network.makeCertain();
  }

  /** A certified upper bound on the Lipschitz constant of G; see `Network.lipschitzBound`. */
  lipschitzBound(effort?: "certain" | "tight"): number {
    return this.network.lipschitzBound(effort);
  }
}

/**
 * A block's Lipschitz network G at the samples of a pass, and how equations with it are solved and log-determinants
 * taken: the exact regime and the stochastic one (math.md, "Two regimes"). The three formulations are written in
 * these words alone.
 *
 * Matrices have the rows and lanes of the block's input. A call of `solve` or `evaluate` sets the point w that all
 * later calls speak of; J is the Jacobian of G there.
 */
import type { Matrix } from "../engine/engine.js";
import type { PassKey } from "../logdet/probes.js";
import type { LipschitzNetwork } from "../networks/lipschitz-network.js";
import type { SolverCounts } from "../solvers/newton.js";

/** A network G at the samples of a pass, with the solves and log-determinants that a block needs. */
export interface Regime {
  /** G. */
  readonly network: LipschitzNetwork;
  /** What its solves have taken. */
  readonly counts: SolverCounts;
  /** One of two vectors of memory as large as `like`. */
  vector(index: 0 | 1, like: Matrix): Matrix;
  /** out = G(w) at w = x. Log-determinants can be asked for only with `jacobian`. */
  evaluate(out: Matrix, x: Matrix, jacobian: boolean): void;
  /** out = w, the solution of w + sign G(w) = target, from `start` on. */
  solve(out: Matrix, target: Matrix, start: Matrix, sign: 1 | -1, pass: PassKey): Promise<void>;
  /** logDet += plus log det(I + J) + minus log det(I - J), or an unbiased estimate. */
  addLogDet(logDet: Matrix, plus: number, minus: number, pass: PassKey): Promise<void>;
  /**
   * Begins a backward pass: out = valueBar + the gradient for w of what `addLogDet` added, times logDetBar; its
   * gradient for the network's parameters stays pending.
   */
  logDetBackward(
    out: Matrix,
    valueBar: Matrix,
    logDetBar: Matrix | null,
    plus: number,
    minus: number,
    pass: PassKey,
  ): void;
  /** out = (I + sign J)^-T right. */
  solveTransposed(out: Matrix, right: Matrix, sign: 1 | -1, pass: PassKey): Promise<void>;
  /** Ends a backward pass: the parameters also receive the gradient of valueBar^T G(w). Returns J^T valueBar. */
  finish(valueBar: Matrix, logDetBar: Matrix | null): Matrix;
}

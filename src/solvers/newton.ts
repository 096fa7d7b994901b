/**
 * Newton's method on w + sign G(w) = target, all samples at once, in the exact regime (math.md, "Two regimes").
 *
 * Each evaluation yields G and its Jacobian; each step solves d x d systems. A step that does not lower a
 * sample's residual is taken back and halved; after a step of 1/4 the fixed-point map is used, which lowers
 * the residual by the factor Lip(G) < 1 for certain. So it cannot diverge. The last evaluation stays in the
 * network's workspace, where the log-determinant and the backward pass find it.
 */
import { type Engine, lanesOf, type Matrix, rowsOf } from "../engine/engine.js";
import type { Network, Views } from "../networks/network.js";

const MAX_EVALUATIONS = 60;

/** What solving has taken, summed over calls since the counts were last reset. */
export interface SolverCounts {
  solves: number;
  evaluations: number;
  /** Samples that did not reach the tolerance. */
  unconverged: number;
  /** The largest relative residual that any solve ended with. */
  residual: number;
}

export function emptyCounts(): SolverCounts {
  return { solves: 0, evaluations: 0, unconverged: 0, residual: 0 };
}

/**
 * Solves from the start that the value lanes of views.input hold, to a tolerance on the largest |residual| over
 * max(1, largest |target|, largest |w|). The point w that reached it replaces the start, and views holds the jet
 * of G there. Returns the Newton step from w, which costs nothing more: w minus it is the solution to rounding.
 */
export async function newton(
  engine: Engine,
  network: Network,
  views: Views,
  target: Matrix,
  state: Matrix,
  sign: 1 | -1,
  tolerance: number,
  counts: SolverCounts,
): Promise<Matrix> {
  const steps = rowsOf(state, 2 * network.dim, network.dim);
  const w = lanesOf(views.input, 0, views.batch);
  engine.basisTangents(views.input, views.batch);
  counts.solves++;
  for (let n = 1; ; n++) {
    network.evaluate(views);
    counts.evaluations++;
    engine.newtonStep(w, target, views.output, state, sign, tolerance, n === 1);
    const { open, residual } = await engine.newtonStatus();
    if (open > 0 && n < MAX_EVALUATIONS) continue;
    if (open > 0) {
      // Back to the best points that were found, and the evaluation there.
      engine.combine(w, 1, rowsOf(state, 0, network.dim));
      network.evaluate(views);
      counts.evaluations++;
      engine.fill(steps, 0);
      counts.unconverged += open;
    }
    // Written so that a residual that is not a number is kept.
    if (!(residual <= counts.residual)) counts.residual = residual;
    return steps;
  }
}

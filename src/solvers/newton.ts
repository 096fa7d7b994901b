/**
 * Newton's method on w + sign G(w) = target, all samples at once, in the exact regime (math.md, "Two regimes").
 *
 * Each evaluation yields G and its Jacobian; each step solves d x d systems. A step that does not lower a
 * sample's residual is taken back and halved; after a step of 1/4 the fixed-point map is used, which lowers
 * the residual by the factor Lip(G) < 1 for certain. So it cannot diverge. When at most half of the samples are
 * still open, they are gathered and go on alone. The last evaluation of every sample ends in the network's
 * workspace, where the log-determinant and the backward pass find it.
 */
import { type Engine, lanesOf, type Matrix, paddedLanes, rowsOf, type Tensor } from "../engine/engine.js";
import type { Network, Views } from "../networks/network.js";

const MAX_EVALUATIONS = 60;

/** What solving has taken, summed over calls since the counts were last reset. */
export interface SolverCounts {
  solves: number;
  /** Network evaluations a sample: those of some of the samples count in proportion. */
  evaluations: number;
  /** Samples that did not reach the tolerance. */
  unconverged: number;
  /** The largest relative residual that any solve ended with. */
  residual: number;
}

export function emptyCounts(): SolverCounts {
  return { solves: 0, evaluations: 0, unconverged: 0, residual: 0 };
}

/** The samples that are solved for, and the memory for it. */
export interface Equations {
  /** The value lanes of views.input hold the start, and then the solution. */
  readonly views: Views;
  readonly target: Matrix;
  /** 3 dim + 2 rows, for `Engine.newtonStep`. */
  readonly state: Matrix;
  /** As long as there are samples: the list of those that are open. */
  readonly open: Tensor;
  /** Memory for up to half of the samples to go on alone, where there is some. */
  spare?(samples: number): Equations;
}

/**
 * Solves to a tolerance on the largest |residual| over max(1, largest |target|, largest |w|). The point w that
 * reached it replaces the start, and views holds the jet of G there. Returns the Newton step from w, which
 * costs nothing more: w minus it is the solution to rounding.
 */
export async function newton(
  engine: Engine,
  network: Network,
  equations: Equations,
  sign: 1 | -1,
  tolerance: number,
  counts: SolverCounts,
): Promise<Matrix> {
  const samples = equations.views.batch;
  const stepsOf = ({ state }: Equations) => rowsOf(state, 2 * network.dim, network.dim);

  const iterate = async (part: Equations, done: number): Promise<void> => {
    const { views, target, state, open } = part;
    const w = lanesOf(views.input, 0, views.batch);
    const evaluate = () => {
      network.evaluate(views);
      counts.evaluations += views.batch / samples;
    };
    engine.basisTangents(views.input, views.batch);
    for (let n = done + 1; ; n++) {
      evaluate();
      engine.newtonStep(w, target, views.output, state, open, sign, tolerance, n === 1);
      const status = await engine.newtonStatus();
      if (status.open > 0 && n < MAX_EVALUATIONS) {
        const left = paddedLanes(engine, status.open);
        if (!part.spare || left > views.batch / 2) continue;
        counts.residual = Math.max(counts.residual, status.settled);
        const rest = part.spare(left);
        const take = (few: Matrix, all: Matrix) => engine.gatherLanes(few, left, all, views.batch, open);
        const bring = (all: Matrix, few: Matrix) => engine.scatterLanes(all, views.batch, few, left, open);
        take(lanesOf(rest.views.input, 0, left), w);
        take(rest.target, target);
        take(rest.state, state);
        await iterate(rest, n);
        bring(state, rest.state);
        // The evaluation at their solutions, of which the point is the first rows.
        bring(views.bank, rest.views.bank);
        bring(views.pre, rest.views.pre);
        bring(views.output, rest.views.output);
        return;
      }
      if (status.open > 0) {
        // Back to the best points that were found, and the evaluation there.
        engine.combine(w, 1, rowsOf(state, 0, network.dim));
        evaluate();
        engine.fill(stepsOf(part), 0);
        counts.unconverged += status.open;
      }
      counts.residual = Math.max(counts.residual, status.residual);
      return;
    }
  };

  counts.solves++;
  await iterate(equations, 0);
  return stepsOf(equations);
}

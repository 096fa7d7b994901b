/**
 * Newton's method on w + sign G(w) = target, all samples at once, in the exact regime (math.md, "Two regimes").
 *
 * Each evaluation yields G and its Jacobian; each step solves d x d systems. Progress is judged by the Euclidean norm
 * |r| of a sample's residual, in which G is a contraction. A trial, the part t of the Newton step from the best point,
 * is accepted where it lowers |r| by the factor 1 - 0.08 t, or reaches the tolerance; otherwise it is taken back and
 * halved. After a rejected step of 1/4 come steps of the fixed point, each of which lowers |r| by the factor
 * Lip(G) < 1 for certain: one at first, and twice as many whenever the Newton steps after them fail again. So it
 * cannot diverge, and ends (math.md, "The safeguard of Newton's method"). A fixed-point step that does not lower |r|
 * shows that rounding rules: after a last turn of Newton's steps the sample is given up, at its best point.
 *
 * When at most half of the samples are still open, they are gathered and go on alone. The last evaluation of every
 * sample ends in the network's workspace, where the log-determinant and the backward pass find it.
 */
import { type Engine, lanesOf, type Matrix, paddedLanes, rowsOf, type Tensor } from "../engine/engine.js";
import type { LipschitzNetwork } from "../networks/lipschitz-network.js";
import type { Views } from "../networks/workspace.js";

/** Enough for Lip(G) = 0.98 in float64 (math.md, "The safeguard of Newton's method"). */
const MAX_EVALUATIONS = 8192;

/** What solving has taken, summed over calls since the counts were last reset. */
export interface SolverCounts {
  /** Calls of a solver. */
  solves: number;
  /** Network evaluations a sample: those of some of the samples count in proportion. */
  evaluations: number;
  /** Samples that did not reach the tolerance. */
  unconverged: number;
  /** The lanes of those, each in the pass that it was in. */
  unconvergedLanes: number[];
  /** The largest relative residual that any solve ended with; NaN where one was not a number. */
  residual: number;
}

export function emptyCounts(): SolverCounts {
  return { solves: 0, evaluations: 0, unconverged: 0, unconvergedLanes: [], residual: 0 };
}

/** The samples that are solved for, and the memory for it. */
export interface Equations {
  /** The value lanes of views.input hold the start, and then the solution. */
  readonly views: Views;
  readonly target: Matrix;
  /** `newtonStateRows(dim)` rows, for `Engine.newtonStep`. */
  readonly state: Matrix;
  /** As long as there are samples: the list of those that are open. */
  readonly open: Tensor;
  /** Memory for up to half of the samples to go on alone, where there is some. */
  spare?(samples: number): Equations;
}

/**
 * Solves to a tolerance on the largest |residual| over max(1, largest |target|, largest |w|). The point w that
 * reached it replaces the start, and views holds the jet of G there; of a sample that was given up the best point does.
 * Returns the Newton step from w, which costs nothing more: w minus it is the solution to rounding. It is 0 for samples
 * that were given up.
 */
export async function newton(
  engine: Engine,
  network: LipschitzNetwork,
  equations: Equations,
  sign: 1 | -1,
  tolerance: number,
  counts: SolverCounts,
): Promise<Matrix> {
  const samples = equations.views.batch;
  let givenUp = 0;

  const iterate = async (part: Equations, done: number): Promise<void> => {
    const { views, target, state, open } = part;
    const w = lanesOf(views.input, 0, views.batch);
    engine.basisTangents(views.input, views.batch);
    for (let n = done + 1; ; n++) {
      network.evaluate(views);
      counts.evaluations += views.batch / samples;
      // What is given up needs one evaluation more, at its best point.
      const stage = n === 1 ? "first" : n >= MAX_EVALUATIONS - 1 ? "last" : "next";
      engine.newtonStep(w, target, views.output, state, open, sign, tolerance, stage);
      const status = await engine.newtonStatus();
      givenUp += status.givenUp;
      if (status.open === 0) {
        counts.residual = Math.max(counts.residual, status.residual);
        return;
      }
      const left = paddedLanes(engine, status.open);
      if (!part.spare || left > views.batch / 2) continue;
      counts.residual = Math.max(counts.residual, status.doneResidual);
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
  };

  counts.solves++;
  await iterate(equations, 0);
  const { state } = equations;
  if (givenUp > 0) {
    const lanes = await givenUpOf(engine, rowsOf(state, 3 * network.dim + 2, 1));
    counts.unconverged += lanes.length;
    counts.unconvergedLanes.push(...lanes);
  }
  return rowsOf(state, 2 * network.dim, network.dim);
}

/** The samples without a further trial. Those that fill up gathered lanes are counted in their own place only. */
async function givenUpOf(engine: Engine, trials: Matrix): Promise<number[]> {
  const numbers = new Float64Array(trials.lanes);
  await engine.read(trials.tensor, numbers, trials.offset);
  return [...numbers.keys()].filter((lane) => numbers[lane] === 0);
}

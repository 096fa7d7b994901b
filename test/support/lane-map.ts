import { type Engine, type Matrix, matrix } from "../../src/engine/engine.js";
import type { LaneMap } from "../../src/solvers/lane-solver.js";
import { emptyCounts } from "../../src/solvers/newton.js";
import { download, type Rows, transpose } from "./rows.js";

/** A map of samples that is computed on the host. */
export function hostMap(
  engine: Engine,
  rows: number,
  lanes: number,
  map: (point: number[], lane: number) => number[],
): LaneMap {
  const whole = () => matrix(engine.tensor(rows * lanes), rows, lanes);
  const [input, output] = [whole(), whole()];
  const buffer = new Float64Array(rows * lanes);
  return {
    input,
    output,
    evaluate() {
      // Engines hand out their numbers at once; the promise is there for those that will not.
      void engine.read(input.tensor, buffer);
      const samples = Array.from({ length: lanes }, (_, lane) =>
        map(
          Array.from({ length: rows }, (_, r) => buffer[r * lanes + lane]),
          lane,
        ),
      );
      engine.write(output.tensor, transpose(samples).flat());
    },
  };
}

/** What `LaneSolver` and its kind offer. */
interface Solver {
  solve(
    map: LaneMap,
    target: Matrix,
    sign: 1 | -1,
    tolerance: number,
    counts: ReturnType<typeof emptyCounts>,
  ): Promise<Uint32Array>;
}

/** Solves for a target a sample from a start a sample, and looks over the solver's shoulder. */
export async function watchSolve(
  engine: Engine,
  solver: Solver,
  map: LaneMap,
  options: { target: Rows; start: Rows; sign?: 1 | -1; tolerance: number },
) {
  const { target: goal, start, sign = 1, tolerance } = options;
  const write = (m: Matrix, samples: Rows) => {
    transpose(samples).forEach((row, r) => {
      engine.write(m.tensor, row, m.offset + r * m.stride);
    });
  };
  const target = matrix(engine.tensor(goal.flat().length), goal[0].length, goal.length);
  write(target, goal);
  write(map.input, start);
  /** The samples' points at every evaluation, and their residuals there. */
  const points: Promise<Rows>[] = [];
  const values: Promise<Rows>[] = [];
  const watched: LaneMap = {
    ...map,
    evaluate() {
      map.evaluate();
      points.push(download(engine, map.input));
      values.push(download(engine, map.output));
    },
  };
  const counts = emptyCounts();
  const taken = Array.from(await solver.solve(watched, target, sign, tolerance, counts));
  const trace = await Promise.all(points);
  const residuals = (await Promise.all(values)).map((all, n) =>
    all.map((value, s) => value.map((g, i) => trace[n][s][i] + sign * g - goal[s][i])),
  );
  return { counts, taken, trace, residuals, solution: await download(engine, map.input) };
}

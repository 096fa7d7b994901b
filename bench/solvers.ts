/**
 * What solving the blocks of a flow takes: our Newton beside plain fixed point and Anderson acceleration, from the
 * same starts to the same tolerance, on a freshly initialised and on a trained model.
 *
 * An evaluation is one of a network on all samples of a pass; those of some of the samples count in proportion.
 * Newton's carry d tangents and cost 1 + d value evaluations each, the others' carry none. The Jacobian at the
 * solution, which the exact log-determinant and the backward pass need, is what Newton's last evaluation leaves
 * behind; the others would need a jet on top, which is not counted here.
 */
import type { LipschitzBlock } from "../src/bijections/lipschitz-block.js";
import { type DataSource, toySource } from "../src/data/source.js";
import {
  type Engine,
  lanesOf,
  type Matrix,
  matrix,
  newtonStateRows,
  paddedLanes,
} from "../src/engine/engine.js";
import { Flow } from "../src/flows/flow.js";
import { monotoneFlow } from "../src/flows/monotone-flow.js";
import { FRESH } from "../src/logdet/probes.js";
import type { LipschitzNetwork } from "../src/networks/lipschitz-network.js";
import { median } from "../src/plots/quantile.js";
import { preset } from "../src/presets/presets.js";
import { Anderson } from "../src/solvers/anderson.js";
import { FixedPoint } from "../src/solvers/fixed-point.js";
import type { LaneSolver } from "../src/solvers/lane-solver.js";
import { type Equations, emptyCounts, newton, type SolverCounts } from "../src/solvers/newton.js";
import type { Table } from "../src/table.js";
import { train } from "../src/training/train.js";

/** Times that every solve is measured. */
const ROUNDS = 9;
const solverNames = ["newton", "fixed-point", "anderson"] as const;

/** What one solver took on one block: means over the passes of the batch. */
export interface SolverFigures {
  solver: (typeof solverNames)[number];
  /** Evaluations that it took a pass. */
  evaluations: number;
  /** The same in value evaluations. */
  cost: number;
  /** Median milliseconds a pass. */
  milliseconds: number;
  /**
   * The largest |residual| over max(1, |target|, |w|) at the points that it left, and the samples that it gave up.
   */
  residual: number;
  unconverged: number;
  /** Evaluations that a sample needs (mean), and those until the last sample of a pass has what it needs. */
  evaluationsNeeded: number;
  evaluationsOfSlowest: number;
  /** How many samples need 0, 1, 2, ... evaluations. */
  samples: number[];
}

export interface BlockFigures {
  /** Place in the chain, from 1. */
  block: number;
  kind: string;
  lipschitzBound: number;
  solvers: SolverFigures[];
}

export interface ModelFigures {
  model: string;
  /** Median milliseconds of one evaluation of a pass by the first block's network, without and with d tangents. */
  valueMilliseconds: number;
  jetMilliseconds: number;
  blocks: BlockFigures[];
}

export interface SolverBenchmark {
  /** Null where the trained model is a run. */
  preset: string | null;
  data: string;
  dim: number;
  batch: number;
  /** Samples of a pass. */
  pass: number;
  seed: number;
  tolerance: number;
  models: ModelFigures[];
}

export interface SolverBenchmarkOptions {
  /** Samples to solve for. */
  batch: number;
  seed: number;
  /** Default: that of the blocks. */
  tolerance: number | undefined;
}

/** The right side of a block's equation w + G(w) = target on one pass; the lanes beyond `count` are padding. */
interface Pass {
  readonly target: Matrix;
  readonly count: number;
}

/** Where a solver has left the solution w, and G there. */
interface Solution {
  readonly point: Matrix;
  readonly value: Matrix;
}

/** One solver on one network, with memory of its own. */
interface Contender {
  /** Value evaluations that one of its evaluations costs. */
  readonly cost: number;
  solve(target: Matrix, tolerance: number, counts: SolverCounts): Promise<Solution>;
  /** The evaluations that each sample of the pass needs. */
  needs(pass: Pass, tolerance: number): Promise<number[]>;
}

/** Newton as the blocks use it: samples that are left over when at most half of them are open go on alone. */
function newtonContender(engine: Engine, network: LipschitzNetwork, capacity: number): Contender {
  const { dim } = network;
  const lanes = paddedLanes(engine, capacity);
  const stateRows = newtonStateRows(dim);
  const memory = () => {
    const workspace = network.workspace(capacity, dim);
    const state = engine.tensor(stateRows * lanes);
    const target = engine.tensor(dim * lanes);
    const open = engine.tensor(lanes);
    return (samples: number): Equations => ({
      views: network.views(workspace, samples, dim),
      target: matrix(target, dim, samples),
      state: matrix(state, stateRows, samples),
      open,
    });
  };
  const all = memory();
  const spare = memory();
  const solve = async (target: Matrix, tolerance: number, counts: SolverCounts) => {
    const equations = { ...all(target.lanes), target, spare };
    const { input, output } = equations.views;
    const point = lanesOf(input, 0, target.lanes);
    engine.combine(point, 1, target);
    await newton(engine, network, equations, 1, tolerance, counts);
    return { point, value: lanesOf(output, 0, target.lanes) };
  };
  // As many lanes as the engine wants, all with the one sample.
  const single = matrix(engine.tensor(dim * engine.laneMultiple), dim, engine.laneMultiple);
  return {
    cost: 1 + dim,
    solve,
    async needs({ target, count }, tolerance) {
      const taken: number[] = [];
      const targets = new Float64Array(dim * target.lanes);
      await engine.read(target.tensor, targets, target.offset);
      for (let sample = 0; sample < count; sample++) {
        const same = Array.from({ length: dim }, (_, r) =>
          new Array<number>(single.lanes).fill(targets[r * target.lanes + sample]),
        );
        engine.write(single.tensor, same.flat());
        const counts = emptyCounts();
        await solve(single, tolerance, counts);
        taken.push(counts.evaluations);
      }
      return taken;
    },
  };
}

function valueContender(
  engine: Engine,
  network: LipschitzNetwork,
  capacity: number,
  solver: LaneSolver,
): Contender {
  const workspace = network.workspace(capacity, 0);
  const run = async (target: Matrix, tolerance: number, counts: SolverCounts) => {
    const views = network.views(workspace, target.lanes, 0);
    const { input, output } = views;
    const map = { input, output, evaluate: () => network.evaluate(views) };
    engine.combine(input, 1, target);
    const taken = await solver.solve(map, target, 1, tolerance, counts);
    return { taken, solution: { point: input, value: output } };
  };
  return {
    cost: 1,
    solve: async (target, tolerance, counts) => (await run(target, tolerance, counts)).solution,
    needs: async ({ target, count }, tolerance) =>
      Array.from((await run(target, tolerance, emptyCounts())).taken).slice(0, count),
  };
}

/** The largest relative residual of the samples of a pass, counted by no solver. */
async function largestResidual(
  engine: Engine,
  { target, count }: Pass,
  { point, value }: Solution,
): Promise<number> {
  const { rows } = target;
  const samples = async (m: Matrix) => {
    const row = new Float64Array(count);
    const all: number[][] = Array.from({ length: count }, () => []);
    for (let r = 0; r < rows; r++) {
      await engine.read(m.tensor, row, m.offset + r * m.stride);
      for (let s = 0; s < count; s++) all[s].push(row[s]);
    }
    return all;
  };
  const [t, w, g] = [await samples(target), await samples(point), await samples(value)];
  const relative = t.map((goal, s) => {
    const residual = goal.map((x, r) => Math.abs(w[s][r] + g[s][r] - x));
    return Math.max(...residual) / Math.max(1, ...goal.map(Math.abs), ...w[s].map(Math.abs));
  });
  return Math.max(...relative);
}

/** In the order of `solverNames`. */
function contenders({ engine, dim, capacity }: Flow, network: LipschitzNetwork): Contender[] {
  const lanes = paddedLanes(engine, capacity);
  return [
    newtonContender(engine, network, capacity),
    valueContender(engine, network, capacity, new FixedPoint(engine, dim, lanes)),
    valueContender(engine, network, capacity, new Anderson(engine, dim, lanes)),
  ];
}

/** The targets of every block on every pass: 2x (monotone), x (inverse residual), or y (a residual's inverse). */
async function collectPasses(flow: Flow, samples: Table): Promise<Pass[][]> {
  const { engine, dim, capacity, blocks } = flow;
  const passes: Pass[][] = blocks.map(() => []);
  for (let start = 0; start < samples.rows; start += capacity) {
    const count = Math.min(capacity, samples.rows - start);
    const pass = { ...FRESH, first: start };
    await flow.enter(samples.slice(start, start + count).values, count, pass);
    await flow.chain.forward(count, pass, null);
    blocks.forEach(({ index, block: { kind } }, b) => {
      const given = flow.chain.point(kind === "residual" ? index + 1 : index, count);
      const target = matrix(engine.tensor(dim * given.lanes), dim, given.lanes);
      engine.combine(target, kind === "monotone" ? 2 : 1, given);
      passes[b].push({ target, count });
    });
  }
  return passes;
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** All solvers on one block, by turns: a round for the counts, then those for the times. */
async function compareOn(
  flow: Flow,
  block: LipschitzBlock,
  passes: readonly Pass[],
  tolerance: number,
): Promise<SolverFigures[]> {
  const rivals = contenders(flow, block.network);
  const totals = rivals.map(emptyCounts);
  const times: number[][] = rivals.map(() => []);
  const residuals = rivals.map(() => 0);
  for (let round = 0; round <= ROUNDS; round++) {
    for (const pass of passes) {
      for (const [i, { solve }] of rivals.entries()) {
        const start = performance.now();
        const solution = await solve(pass.target, tolerance, round === 0 ? totals[i] : emptyCounts());
        if (round > 0) times[i].push(performance.now() - start);
        else residuals[i] = Math.max(residuals[i], await largestResidual(flow.engine, pass, solution));
      }
    }
  }
  const figures: SolverFigures[] = [];
  for (const [i, { cost, needs }] of rivals.entries()) {
    const needed: number[][] = [];
    for (const pass of passes) needed.push(await needs(pass, tolerance));
    const { evaluations, solves, unconverged } = totals[i];
    const slowest = needed.map((pass) => Math.max(...pass));
    const samples = new Array<number>(Math.max(...slowest) + 1).fill(0);
    for (const n of needed.flat()) samples[n]++;
    figures.push({
      solver: solverNames[i],
      evaluations: evaluations / solves,
      cost: (cost * evaluations) / solves,
      milliseconds: median(times[i]),
      residual: residuals[i],
      unconverged,
      evaluationsNeeded: mean(needed.flat()),
      evaluationsOfSlowest: mean(slowest),
      samples,
    });
  }
  return figures;
}

const EVALUATION_ROUNDS = 201;

/** Median milliseconds of one evaluation of a network on a pass, at the points given. */
function evaluationMilliseconds(
  engine: Engine,
  network: LipschitzNetwork,
  { target }: Pass,
  tangents: number,
): number {
  const views = network.views(network.workspace(target.lanes, tangents), target.lanes, tangents);
  engine.combine(lanesOf(views.input, 0, target.lanes), 1, target);
  if (tangents > 0) engine.basisTangents(views.input, target.lanes);
  const times = Array.from({ length: EVALUATION_ROUNDS }, () => {
    const start = performance.now();
    network.evaluate(views);
    return performance.now() - start;
  });
  return median(times);
}

async function measureModel(
  model: string,
  flow: Flow,
  samples: Table,
  tolerance: number,
): Promise<ModelFigures> {
  const passes = await collectPasses(flow, samples);
  const blocks: BlockFigures[] = [];
  for (const [b, { index, block }] of flow.blocks.entries()) {
    blocks.push({
      block: index + 1,
      kind: block.kind,
      lipschitzBound: block.lipschitzBound(),
      solvers: await compareOn(flow, block, passes[b], tolerance),
    });
  }
  const evaluation = (tangents: number) =>
    evaluationMilliseconds(flow.engine, flow.blocks[0].block.network, passes[0][0], tangents);
  return { model, valueMilliseconds: evaluation(0), jetMilliseconds: evaluation(flow.dim), blocks };
}

/** A few roundings of a residual: the tolerance of the blocks themselves. */
const ownTolerance = (engine: Engine) => 8 * engine.epsilon;

/** Measures a freshly initialised flow of a preset on a toy density, and the same after so many training steps. */
export async function benchSolvers(
  name: string,
  data: string,
  steps: number,
  options: SolverBenchmarkOptions,
): Promise<SolverBenchmark> {
  const { flow, training } = preset(name);
  const source = toySource(data);
  const declaration = monotoneFlow({ ...flow, dim: source.dim });
  const { seed } = options;
  const { trainer } = await train(
    {
      data: { kind: "toy", name: data },
      declaration,
      options: { ...training, seed, steps },
      state: null,
    },
    1,
  );
  await trainer.flow.convergeNorms();
  const trained = `after ${steps} training steps`;
  return { preset: name, ...(await besideFresh(trained, trainer.flow, source, options)) };
}

/** Measures the model of a run, and a freshly initialised one of the same declaration, on the data of the run. */
export async function benchSolversOf(
  run: string,
  flow: Flow,
  source: DataSource,
  options: SolverBenchmarkOptions,
): Promise<SolverBenchmark> {
  return { preset: null, ...(await besideFresh(run, flow, source, options)) };
}

async function besideFresh(
  name: string,
  trained: Flow,
  source: DataSource,
  { batch, seed, tolerance = ownTolerance(trained.engine) }: SolverBenchmarkOptions,
): Promise<Omit<SolverBenchmark, "preset">> {
  const samples = source.test(seed, batch);
  const fresh = await Flow.create(trained.declaration, { seed });
  return {
    data: source.name,
    dim: trained.dim,
    batch: samples.rows,
    pass: Math.min(trained.capacity, samples.rows),
    seed,
    tolerance,
    models: [
      await measureModel("freshly initialised", fresh, samples, tolerance),
      await measureModel(name, trained, samples, tolerance),
    ],
  };
}

const equations: Record<string, string> = {
  monotone: "w + G(w) = 2x",
  "inverse-residual": "w + G(w) = x",
  residual: "w + G(w) = y, the inverse",
};

const titles: Record<SolverFigures["solver"], string> = {
  newton: "Newton",
  "fixed-point": "fixed point",
  anderson: "Anderson",
};

/** The tables of `bench solvers`, line by line. */
export function solverReport({
  preset,
  data,
  dim,
  batch,
  pass,
  tolerance,
  models,
}: SolverBenchmark): string[] {
  const kinds = [...new Set(models[0].blocks.map(({ kind }) => kind))];
  return [
    `${preset ?? models[1].model} on ${data}: ${kinds.map((k) => `${k} blocks, ${equations[k]}`).join("; ")}`,
    `samples: ${batch}, ${pass} a pass; tolerance: ${tolerance.toExponential(1)} of max(1, |target|, |w|)`,
    `evals: evaluations a pass; cost: the same in value evaluations (a jet counts ${1 + dim}); ms: median a pass; ` +
      "last line: means, and the largest residual",
    ...models.flatMap((model) => ["", ...comparison(model), "", ...distribution(model, pass)]),
  ];
}

function comparison({ model, valueMilliseconds, jetMilliseconds, blocks }: ModelFigures): string[] {
  const row = (first: string, lipschitz: string, cells: readonly string[]) =>
    `${first.padEnd(6)}${lipschitz.padStart(6)}${cells.join("")}`;
  const figures = ({ evaluations, cost, milliseconds, residual, unconverged }: SolverFigures) =>
    evaluations.toFixed(2).padStart(8) +
    cost.toFixed(1).padStart(6) +
    milliseconds.toFixed(3).padStart(7) +
    `${residual.toExponential(1)}${unconverged > 0 ? "!" : " "}`.padStart(10);
  const means = solverNames.map((solver, i): SolverFigures => {
    const own = blocks.map(({ solvers }) => solvers[i]);
    const average = (field: "evaluations" | "cost" | "milliseconds") => mean(own.map((f) => f[field]));
    return {
      ...own[0],
      solver,
      evaluations: average("evaluations"),
      cost: average("cost"),
      milliseconds: average("milliseconds"),
      residual: Math.max(...own.map((f) => f.residual)),
      unconverged: own.reduce((sum, f) => sum + f.unconverged, 0),
    };
  });
  const missed = means.filter((f) => f.unconverged > 0);
  return [
    `${model}; one evaluation takes ${valueMilliseconds.toFixed(4)} ms for values, ${jetMilliseconds.toFixed(4)} ms for a jet`,
    row(
      "",
      "",
      solverNames.map((solver) => `   ${titles[solver]}`.padEnd(31)),
    ).trimEnd(),
    row(
      "block",
      "Lip <=",
      solverNames.map(() => "   evals  cost     ms  residual "),
    ).trimEnd(),
    ...blocks.map(({ block, lipschitzBound, solvers }) =>
      row(String(block), lipschitzBound.toFixed(3), solvers.map(figures)).trimEnd(),
    ),
    row("mean", "", means.map(figures)).trimEnd(),
    ...missed.map((f) => `! ${titles[f.solver]}: ${f.unconverged} solves of a sample missed the tolerance`),
  ];
}

/** What Newton would gain if every sample stopped by itself. */
function distribution({ model, blocks }: ModelFigures, pass: number): string[] {
  const own = blocks.map(({ block, solvers }) => ({ block, ...solvers[solverNames.indexOf("newton")] }));
  const most = Math.max(...own.map(({ samples }) => samples.length)) - 1;
  const least = Math.min(...own.map(({ samples }) => samples.findIndex((n) => n > 0)));
  const numbers = Array.from({ length: most - least + 1 }, (_, i) => least + i);
  const line = (name: string, figures: readonly number[], counts: readonly number[]) =>
    name.padEnd(6) +
    figures.map((f) => f.toFixed(2).padStart(8)).join("") +
    numbers
      .map((n) => (100 * (counts[n] ?? 0)) / counts.reduce((a, b) => a + b, 0))
      .map((percent) => `${percent.toFixed(1)}%`.padStart(8))
      .join("");
  const total = Array.from({ length: most + 1 }, (_, n) =>
    own.reduce((sum, { samples }) => sum + (samples[n] ?? 0), 0),
  );
  const fields = ["evaluationsNeeded", "evaluations", "evaluationsOfSlowest"] as const;
  return [
    `Newton, ${model}: evaluations that a sample needs (mean), that were made, and that the slowest of ${pass} needs; ` +
      "samples by evaluations needed",
    `${"block".padEnd(6)}   needs    made slowest${numbers.map((n) => String(n).padStart(8)).join("")}`,
    ...own.map((f) =>
      line(
        String(f.block),
        fields.map((field) => f[field]),
        f.samples,
      ),
    ),
    line(
      "mean",
      fields.map((field) => mean(own.map((f) => f[field]))),
      total,
    ),
  ];
}

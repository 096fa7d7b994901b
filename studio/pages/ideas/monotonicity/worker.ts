/** Random networks, and networks that are trained to be steep or flat, as functions in one dimension. */

import { WasmEngine } from "../../../../src/engine/wasm/engine.js";
import { grid } from "../../../../src/experiments/theory/grid.js";
import {
  type Descent,
  fallingRate,
  formulations,
  LipschitzMap,
} from "../../../../src/experiments/theory/lipschitz-map.js";
import {
  type Aim,
  aims,
  drawn,
  pull,
  RATE,
  trainedFor,
} from "../../../../src/experiments/theory/slope-networks.js";
import { Purpose, Random } from "../../../../src/model/random.js";
import { type Formulation, Table } from "../../../library.js";
import { serve } from "../../../models/serve.js";
import { END, POINTS, type SlopeCurve, type SlopesNews, type SlopesOrder, STEPS } from "./messages.js";

const RANDOM_NETWORKS = 6;
/** Of training. */
const TRAINING_POINTS = 31;
/** How long a slice of training may take. */
const SLICE_MS = 25;

const table = (x: readonly number[]) => new Table(x.length, 1, Float64Array.from(x));
const shown = table(grid(-END, END, POINTS));
const trainingX = grid(-END, END, TRAINING_POINTS);

interface Pupil {
  readonly formulation: Formulation;
  readonly aim: Aim;
  readonly map: LipschitzMap;
  readonly descend: Descent;
}

let seed = -1;
let lipschitz = Number.NaN;
let pupils: Pupil[] = [];
let randomCurves: SlopeCurve[] = [];
let step = 0;

serve<SlopesOrder, SlopesNews>(async (order) => {
  if (order.kind === "make") await make(order.lipschitz, order.seed);
  else await advance();
  const curves = [...randomCurves];
  for (const { formulation, aim, map } of pupils) curves.push(await curve(map, formulation, aim));
  return { kind: "curves", lipschitz, curves, step, done: step >= STEPS };
});

async function make(L: number, newSeed: number): Promise<void> {
  const before = newSeed === seed ? pupils : [];
  if (before.length === 0) step = 0;
  [lipschitz, seed] = [L, newSeed];
  const engine = await WasmEngine.create();
  let stream = 0;
  const random = () => new Random(seed, Purpose.initialisation, stream++);
  randomCurves = [];
  for (let n = 0; n < RANDOM_NETWORKS; n++) {
    const map = new LipschitzMap(drawn(n, L, POINTS), random(), engine);
    for (const formulation of formulations) randomCurves.push(await curve(map, formulation, "random"));
  }
  pupils = formulations.flatMap((formulation) =>
    aims.map((aim) => {
      const map = new LipschitzMap(trainedFor(aim, L, POINTS), random(), engine);
      // What was learned is kept when the bound changes.
      const same = before.find((p) => p.formulation === formulation && p.aim === aim);
      if (same) map.takeWeights(same.map);
      return { formulation, aim, map, descend: map.descent(formulation, table(trainingX)) };
    }),
  );
}

async function advance(): Promise<void> {
  const end = performance.now() + SLICE_MS;
  while (step < STEPS && performance.now() < end) {
    for (const { aim, descend } of pupils) {
      await descend(RATE * fallingRate(step / STEPS), () => pull(aim, trainingX));
    }
    step++;
  }
}

async function curve(
  map: LipschitzMap,
  formulation: Formulation,
  aim: SlopeCurve["aim"],
): Promise<SlopeCurve> {
  const { out, logDet, failed } = await map.forward(formulation, shown);
  const middle = out.values[(POINTS - 1) / 2];
  return {
    formulation,
    aim,
    value: Float32Array.from(out.values, (y) => y - middle),
    slope: Float32Array.from(logDet, Math.exp),
    // Without the middle there is no curve.
    failed: Number.isNaN(middle) ? POINTS : failed.length,
  };
}

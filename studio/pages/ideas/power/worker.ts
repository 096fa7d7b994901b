/** Optimises one network for each formulation to carry p to a target. */

import { WasmEngine } from "../../../../src/engine/wasm/engine.js";
import { minus, type Point } from "../../../../src/experiments/theory/balls.js";
import {
  type Descent,
  fallingRate,
  formulations,
  LipschitzMap,
} from "../../../../src/experiments/theory/lipschitz-map.js";
import {
  difference,
  differenceBars,
  optimisable,
  pairOf,
  RATE,
} from "../../../../src/experiments/theory/pairs.js";
import { Purpose, Random } from "../../../../src/model/random.js";
import type { Formulation } from "../../../library.js";
import { serve } from "../../../models/serve.js";
import { type PowerNews, type PowerOrder, STEPS } from "./messages.js";

/** Steps at a time: few enough to be watched. */
const SLICE_STEPS = 5;

interface Pupil {
  readonly map: LipschitzMap;
  descend: Descent;
}

let last: PowerOrder | null = null;
let pupils: Record<Formulation, Pupil> | null = null;
let step = 0;

serve<PowerOrder, PowerNews>(async (order) => {
  const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
  if (!pupils || order.lipschitz !== last?.lipschitz || order.seed !== last.seed) {
    pupils = await make(order, order.seed === last?.seed ? pupils : null);
    step = 0;
  } else if (!same(order, last)) {
    for (const f of formulations) pupils[f].descend = pupils[f].map.descent(f, pairOf(order.p));
    step = 0;
  }
  last = order;
  const end = Math.min(STEPS, step + SLICE_STEPS);
  for (; step < end; step++) {
    const rate = RATE * fallingRate(step / STEPS);
    for (const f of formulations) {
      // The gradient of half the squared distance.
      await pupils[f].descend(rate, (mapped) => differenceBars(minus(difference(mapped), order.target)));
    }
  }
  const q = {} as Record<Formulation, Point>;
  for (const f of formulations) q[f] = difference(await pupils[f].map.forward(f, pairOf(order.p)));
  return { kind: "reached", order, q, step, done: step >= STEPS };
});

async function make(
  { lipschitz, p, seed }: PowerOrder,
  before: Record<Formulation, Pupil> | null,
): Promise<Record<Formulation, Pupil>> {
  const engine = await WasmEngine.create();
  const result = {} as Record<Formulation, Pupil>;
  for (const [stream, formulation] of formulations.entries()) {
    const random = new Random(seed, Purpose.initialisation, stream);
    const map = new LipschitzMap(optimisable(lipschitz), random, engine);
    // What was learned is kept when the bound changes.
    if (before) map.takeWeights(before[formulation].map);
    result[formulation] = { map, descend: map.descent(formulation, pairOf(p)) };
  }
  return result;
}

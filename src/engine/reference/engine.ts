/**
 * The reference engine: plain float64 loops, one kernel a method, written to be read. The golden vectors
 * judge it, and it judges the other engines.
 */

import {
  factorise,
  logDeterminant,
  solveFactorised,
  solveFactorisedTransposed,
} from "../../linear-algebra.js";
import {
  type Engine,
  type Grid,
  type Matrix,
  type NewtonStage,
  type NewtonStatus,
  TAPS,
  type Tensor,
} from "../engine.js";
import { numbers, type PointwiseMap } from "../pointwise.js";

interface ReferenceTensor extends Tensor {
  readonly values: Float64Array;
}

/** The engine that the others are judged by: float64, plain loops, and itself judged by the golden vectors (test/golden). */
export class ReferenceEngine implements Engine {
  readonly name = "reference";
  readonly epsilon = 2 ** -52;
  readonly laneMultiple = 1;
  readonly preferredBatch = 128;
  #status: NewtonStatus = { residual: 0, open: 0, doneResidual: 0, givenUp: 0 };

  tensor(length: number): ReferenceTensor {
    return { start: 0, length, values: new Float64Array(length) };
  }

  write(tensor: Tensor, values: ArrayLike<number>, offset = 0): void {
    (tensor as ReferenceTensor).values.set(values, offset);
  }

  async read(tensor: Tensor, target: Float64Array, offset = 0): Promise<void> {
    target.set((tensor as ReferenceTensor).values.subarray(offset, offset + target.length));
  }

  linear(out: Matrix, weight: Matrix, input: Matrix, bias: Matrix | null, biasLanes: number): void {
    for (let r = 0; r < out.rows; r++) {
      if (bias !== null) start(out, r, get(bias, r, 0), biasLanes);
      for (let c = 0; c < input.rows; c++) addTo(out, r, get(weight, r, c), input, c);
    }
  }

  linearTransposed(out: Matrix, weight: Matrix, input: Matrix, accumulate: boolean): void {
    for (let c = 0; c < out.rows; c++) {
      if (!accumulate) start(out, c, 0, 0);
      for (let r = 0; r < input.rows; r++) addTo(out, c, get(weight, r, c), input, r);
    }
  }

  outer(out: Matrix, a: Matrix, b: Matrix): void {
    each({ ...out, rows: a.rows, lanes: b.rows }, (i, j) => {
      let sum = get(out, i, j);
      for (let l = 0; l < a.lanes; l++) sum += get(a, i, l) * get(b, j, l);
      return sum;
    });
  }

  convolution(out: Matrix, weight: Matrix, input: Matrix, bias: Matrix, grid: Grid, batch: number): void {
    for (let r = 0; r < out.rows; r++) {
      start(out, r, get(bias, r, 0), batch);
      for (let tap = 0; tap < TAPS; tap++) {
        for (const stretch of stretches(out.lanes, tap, 1, grid, batch)) {
          for (let c = 0; c < input.rows; c++)
            addTo(out, r, get(weight, r, tap * input.rows + c), input, c, stretch);
        }
      }
    }
  }

  convolutionTransposed(
    out: Matrix,
    weight: Matrix,
    input: Matrix,
    accumulate: boolean,
    grid: Grid,
    batch: number,
  ): void {
    for (let c = 0; c < out.rows; c++) {
      if (!accumulate) start(out, c, 0, 0);
      for (let tap = 0; tap < TAPS; tap++) {
        for (const stretch of stretches(out.lanes, tap, -1, grid, batch)) {
          for (let r = 0; r < input.rows; r++)
            addTo(out, c, get(weight, r, tap * out.rows + c), input, r, stretch);
        }
      }
    }
  }

  convolutionOuter(out: Matrix, a: Matrix, b: Matrix, grid: Grid, batch: number): void {
    each({ ...out, rows: a.rows, lanes: TAPS * b.rows }, (r, column) => {
      const tap = Math.floor(column / b.rows);
      let sum = get(out, r, column);
      for (let l = 0; l < a.lanes; l++) {
        const from = neighbour(l, tap, 1, grid, batch);
        if (from !== null) sum += get(a, r, l) * get(b, column % b.rows, from);
      }
      return sum;
    });
  }

  pointwise(map: PointwiseMap, out: Matrix, pre: Matrix, batch: number, parameter: number): void {
    for (let c = 0; c < pre.rows; c++) {
      for (let l = 0; l < batch; l++) {
        map.jets(numbers, get(pre, c, l), parameter).forEach((jet, o) => {
          const row = o * pre.rows + c;
          set(out, row, l, jet.value);
          for (let t = l + batch; t < pre.lanes; t += batch) set(out, row, t, jet.first * get(pre, c, t));
        });
      }
    }
  }

  pointwiseBackward(
    map: PointwiseMap,
    preBar: Matrix,
    outBar: Matrix,
    pre: Matrix,
    batch: number,
    parameter: number,
    parameterBar: Matrix,
  ): void {
    for (let c = 0; c < pre.rows; c++) {
      for (let l = 0; l < batch; l++) {
        const jets = map.jets(numbers, get(pre, c, l), parameter);
        let value = 0;
        let learned = 0;
        for (let t = l; t < outBar.lanes; t += batch) {
          let tangent = 0;
          jets.forEach((jet, o) => {
            const cotangent = get(outBar, o * pre.rows + c, t);
            if (t === l) {
              value += jet.first * cotangent;
              learned += (jet.byParameter?.value ?? 0) * cotangent;
            } else {
              tangent += jet.first * cotangent;
              value += jet.second * get(pre, c, t) * cotangent;
              learned += (jet.byParameter?.first ?? 0) * get(pre, c, t) * cotangent;
            }
          });
          set(preBar, c, t, tangent);
        }
        set(preBar, c, l, value);
        if (jets[0].byParameter) set(parameterBar, 0, 0, get(parameterBar, 0, 0) + learned);
      }
    }
  }

  slopes(map: PointwiseMap, out: Matrix, pre: Matrix, parameter: number): void {
    each(out, (row, l) => {
      const jets = map.jets(numbers, get(pre, row % pre.rows, l), parameter);
      return jets[Math.floor(row / pre.rows)].first;
    });
  }

  applySlopes(out: Matrix, slopes: Matrix, outBar: Matrix): void {
    each(out, (r, l) => {
      let sum = 0;
      for (let row = r; row < outBar.rows; row += out.rows) sum += get(slopes, row, l) * get(outBar, row, l);
      return sum;
    });
  }

  combine(out: Matrix, a: number, x: Matrix, b = 0, y: Matrix | null = null): void {
    each(out, (r, l) => a * get(x, r, l) + (y ? b * get(y, r, l) : 0));
  }

  affine(out: Matrix, x: Matrix, scale: Matrix, shift: Matrix): void {
    each(out, (r, l) => get(scale, r, 0) * get(x, r, l) + get(shift, r, 0));
  }

  rowSums(out: Matrix, x: Matrix, y: Matrix | null): void {
    for (let r = 0; r < x.rows; r++) {
      let sum = get(out, r, 0);
      for (let l = 0; l < x.lanes; l++) sum += get(x, r, l) * (y ? get(y, r, l) : 1);
      set(out, r, 0, sum);
    }
  }

  fill(out: Matrix, value: number): void {
    each(out, () => value);
  }

  gaussianLogDensity(out: Matrix, z: Matrix): void {
    each(out, (_, l) => {
      let squares = 0;
      for (let r = 0; r < z.rows; r++) squares += get(z, r, l) ** 2;
      return get(out, 0, l) - squares / 2 - (z.rows / 2) * Math.log(2 * Math.PI);
    });
  }

  sampleDots(out: Matrix, x: Matrix, y: Matrix): void {
    each(out, (_, s) => {
      let sum = 0;
      for (let r = 0; r < x.rows; r++) {
        for (let l = s; l < x.lanes; l += out.lanes) sum += get(x, r, l) * get(y, r, l);
      }
      return sum;
    });
  }

  sampleMaxima(out: Matrix, x: Matrix): void {
    each(out, (_, s) => {
      let largest = 0;
      for (let r = 0; r < x.rows; r++) {
        for (let l = s; l < x.lanes; l += out.lanes) largest = Math.max(largest, Math.abs(get(x, r, l)));
      }
      return largest;
    });
  }

  scaleSamples(out: Matrix, scale: Matrix, x: Matrix, accumulate: boolean): void {
    each(out, (r, l) => {
      const factor = get(scale, 0, l % scale.lanes);
      return (accumulate ? get(out, r, l) : 0) + (factor === 0 ? 0 : factor * get(x, r, l));
    });
  }

  basisTangents(jet: Matrix, batch: number): void {
    for (let i = 0; i < jet.rows; i++) {
      for (let l = batch; l < jet.lanes; l++) set(jet, i, l, Math.floor(l / batch) - 1 === i ? 1 : 0);
    }
  }

  addLogDet(logDet: Matrix, jet: Matrix, plus: number, minus: number): void {
    each(logDet, (_, l) => {
      let sum = get(logDet, 0, l);
      if (plus !== 0) sum += plus * logDeterminant(identityPlus(jet, l, logDet.lanes, 1));
      if (minus !== 0) sum += minus * logDeterminant(identityPlus(jet, l, logDet.lanes, -1));
      return sum;
    });
  }

  logDetCotangent(bar: Matrix, weight: Matrix, jet: Matrix, plus: number, minus: number): void {
    this.fill(bar, 0);
    const batch = weight.lanes;
    for (const [coefficient, sign] of [
      [plus, 1],
      [-minus, -1],
    ]) {
      if (coefficient === 0) continue;
      for (let l = 0; l < batch; l++) {
        const factors = factorise(identityPlus(jet, l, batch, sign));
        for (let k = 0; k < jet.rows; k++) {
          const column = new Float64Array(jet.rows);
          column[k] = coefficient * get(weight, 0, l);
          solveFactorisedTransposed(factors, column);
          const lane = (1 + k) * batch + l;
          column.forEach((value, i) => {
            set(bar, i, lane, get(bar, i, lane) + value);
          });
        }
      }
    }
  }

  solveTransposed(out: Matrix, right: Matrix, jet: Matrix, sign: number): void {
    for (let l = 0; l < out.lanes; l++) {
      const x = Float64Array.from({ length: out.rows }, (_, i) => get(right, i, l));
      solveFactorisedTransposed(factorise(identityPlus(jet, l, out.lanes, sign)), x);
      x.forEach((value, i) => {
        set(out, i, l, value);
      });
    }
  }

  newtonStep(
    w: Matrix,
    target: Matrix,
    jet: Matrix,
    state: Matrix,
    open: Tensor,
    sign: number,
    tolerance: number,
    stage: NewtonStage,
  ): void {
    const d = w.rows;
    const list = (open as ReferenceTensor).values;
    const best = (i: number) => i;
    const residualRow = (i: number) => d + i;
    const stepRow = (i: number) => 2 * d + i;
    const [normRow, relativeRow, trialRow, runRow] = [3 * d, 3 * d + 1, 3 * d + 2, 3 * d + 3];
    this.#status = { residual: 0, open: 0, doneResidual: 0, givenUp: 0 };
    const status = this.#status;
    for (let l = 0; l < w.lanes; l++) {
      const residual = new Float64Array(d);
      // Rounding grows with the point itself, which a large G(0) puts far from the target.
      let size = 1;
      for (let i = 0; i < d; i++) {
        residual[i] = get(w, i, l) + sign * get(jet, i, l) - get(target, i, l);
        size = Math.max(size, Math.abs(get(target, i, l)), Math.abs(get(w, i, l)));
      }
      const { largest, norm } = measure(residual);
      const trial = stage === "first" ? 1 : get(state, trialRow, l);
      const met = largest / size <= tolerance;
      // What is not a number compares false: such a trial is not accepted.
      const accepted =
        stage === "first" || met || norm < get(state, normRow, l) * (1 - DECREASE * Math.max(trial, 0));
      if (accepted) {
        set(state, normRow, l, norm);
        set(state, relativeRow, l, largest / size);
        const step = residual.slice();
        solveFactorised(factorise(identityPlus(jet, l, w.lanes, sign)), step);
        for (let i = 0; i < d; i++) {
          set(state, best(i), l, get(w, i, l));
          set(state, residualRow(i), l, residual[i]);
          set(state, stepRow(i), l, step[i]);
        }
      }
      const run = stage === "first" ? 1 : get(state, runRow, l);
      const relative = get(state, relativeRow, l);
      const converged = relative <= tolerance;
      const next = stage === "last" && !converged ? { trial: 0, run } : nextTrial(trial, run, accepted);
      set(state, trialRow, l, next.trial);
      set(state, runRow, l, next.run);
      for (let i = 0; i < d; i++) {
        if (next.trial === 0) set(state, stepRow(i), l, 0);
        const step = next.trial < 0 ? get(state, residualRow(i), l) : next.trial * get(state, stepRow(i), l);
        set(w, i, l, get(state, best(i), l) - (converged ? 0 : step));
      }
      status.residual = Math.max(status.residual, relative);
      if (!converged && trial !== 0) list[status.open++] = l;
      else status.doneResidual = Math.max(status.doneResidual, relative);
      if (!converged && trial === 0) status.givenUp++;
    }
  }

  gatherLanes(out: Matrix, count: number, x: Matrix, batch: number, open: Tensor): void {
    const lanes = (open as ReferenceTensor).values;
    each(out, (r, l) => get(x, r, Math.floor(l / count) * batch + lanes[l % count]));
  }

  scatterLanes(out: Matrix, batch: number, x: Matrix, count: number, open: Tensor): void {
    const lanes = (open as ReferenceTensor).values;
    for (let r = 0; r < x.rows; r++) {
      for (let l = 0; l < x.lanes; l++) {
        set(out, r, Math.floor(l / count) * batch + lanes[l % count], get(x, r, l));
      }
    }
  }

  async newtonStatus(): Promise<NewtonStatus> {
    return this.#status;
  }
}

/** What a trial step of full length has to lower the norm by, as a share of it; shorter ones their part of it. */
const DECREASE = 0.08;
/** Newton steps below this length give way to the fixed point's. */
const SHORTEST = 0.25;

/**
 * The trial after one, and the length of the next run of fixed-point steps: a trial t > 0 is that part of the Newton
 * step, t < 0 the first of -t fixed-point steps, and 0 none (solvers/newton.ts).
 */
function nextTrial(trial: number, run: number, accepted: boolean): { trial: number; run: number } {
  if (accepted) return trial < 0 ? { trial: trial < -1 ? trial + 1 : 1, run } : { trial: 1, run: 1 };
  if (trial === 0) return { trial, run };
  // A run was doubled when it began: a step that fails as its first ends the sample, a later one the run.
  if (trial < 0) return { trial: 2 * trial + run === 0 ? 0 : 1, run };
  return trial / 2 < SHORTEST ? { trial: -run, run: 2 * run } : { trial: trial / 2, run };
}

/** The largest |r_i| and the Euclidean |r|, in a way in which no square overflows or vanishes that counts. */
function measure(r: Float64Array): { largest: number; norm: number } {
  const largest = r.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const scale = Math.max(largest, Number.MIN_VALUE);
  const norm = scale * Math.sqrt(r.reduce((sum, x) => sum + (x / scale) ** 2, 0));
  return { largest, norm };
}

function get(m: Matrix, row: number, lane: number): number {
  return (m.tensor as ReferenceTensor).values[m.offset + row * m.stride + lane];
}

function set(m: Matrix, row: number, lane: number, value: number): void {
  (m.tensor as ReferenceTensor).values[m.offset + row * m.stride + lane] = value;
}

function each(out: Matrix, value: (row: number, lane: number) => number): void {
  for (let r = 0; r < out.rows; r++) {
    for (let l = 0; l < out.lanes; l++) set(out, r, l, value(r, l));
  }
}

/** A row of the given value on its first lanes, and of zeros on the others. */
function start(out: Matrix, row: number, value: number, lanes: number): void {
  for (let l = 0; l < out.lanes; l++) set(out, row, l, l < lanes ? value : 0);
}

/** So many lanes from one on, and those of their neighbours. */
interface Stretch {
  readonly to: number;
  readonly from: number;
  readonly lanes: number;
}

/** Adds a multiple of a row to another one. */
function addTo(
  out: Matrix,
  row: number,
  factor: number,
  input: Matrix,
  inputRow: number,
  { to, from, lanes }: Stretch = { to: 0, from: 0, lanes: out.lanes },
): void {
  const sums = (out.tensor as ReferenceTensor).values;
  const { values } = input.tensor as ReferenceTensor;
  const first = out.offset + row * out.stride + to;
  const other = input.offset + inputRow * input.stride + from;
  for (let i = 0; i < lanes; i++) sums[first + i] += factor * values[other + i];
}

/** The lanes whose neighbours at a tap, or with sign -1 at the opposite one, lie inside the image: a stretch for each of its rows. */
function stretches(lanes: number, tap: number, sign: 1 | -1, grid: Grid, batch: number): Stretch[] {
  const { height, width } = grid;
  const samples = batch / (height * width);
  const [dy, dx] = [sign * (Math.floor(tap / 3) - 1), sign * ((tap % 3) - 1)];
  const found: Stretch[] = [];
  for (let segment = 0; segment < lanes; segment += batch) {
    for (let y = Math.max(0, -dy); y < height - Math.max(0, dy); y++) {
      const x = Math.max(0, -dx);
      const to = segment + (y * width + x) * samples;
      found.push({ to, from: to + (dy * width + dx) * samples, lanes: (width - Math.abs(dx)) * samples });
    }
  }
  return found;
}

/** The lane of a pixel's neighbour at a tap, or with sign -1 at the opposite one; null where that is outside the image. */
function neighbour(lane: number, tap: number, sign: 1 | -1, grid: Grid, batch: number): number | null {
  const { height, width } = grid;
  const samples = batch / (height * width);
  const place = Math.floor((lane % batch) / samples);
  const y = Math.floor(place / width) + sign * (Math.floor(tap / 3) - 1);
  const x = (place % width) + sign * ((tap % 3) - 1);
  if (y < 0 || y >= height || x < 0 || x >= width) return null;
  return lane - (lane % batch) + (y * width + x) * samples + (lane % samples);
}

/** I + sign J at one sample, row-major. */
function identityPlus(jet: Matrix, lane: number, batch: number, sign: number): Float64Array {
  const d = jet.rows;
  return Float64Array.from({ length: d * d }, (_, n) => {
    const i = Math.floor(n / d);
    const j = n % d;
    return (i === j ? 1 : 0) + sign * get(jet, i, (1 + j) * batch + lane);
  });
}

/** How a trained flow follows the staircase: its values, slopes and errors on a grid, and the slopes it could have. */
import { staircase, staircaseInterval } from "../../data/staircase.js";
import type { Flow } from "../../flows/flow.js";
import { Table } from "../../table.js";

/** Even cells of the interval, one point in the middle of each: a riser is 240 of them wide. */
const CELLS = 20_000;

export type Range = readonly [number, number];

export interface Measures {
  readonly x: Float64Array;
  readonly value: Float64Array;
  /** dF/dx, which in one dimension is the exponential of the log-determinant. */
  readonly slope: Float64Array;
  readonly meanSquaredError: number;
  readonly largestError: number;
  readonly slopes: Range;
  /** The slopes that no input can leave, by the certified Lipschitz bounds of the networks. */
  readonly attainable: Range;
}

export async function measure(flow: Flow): Promise<Measures> {
  const [low, high] = staircaseInterval;
  const x = Float64Array.from({ length: CELLS }, (_, i) => low + ((high - low) * (i + 0.5)) / CELLS);
  const { z, logDet } = await flow.forward(new Table(CELLS, 1, x));
  const value = z.values;
  const slope = logDet.map(Math.exp);
  const errors = value.map((y, i) => Math.abs(y - staircase(x[i])));
  return {
    x,
    value,
    slope,
    meanSquaredError: errors.reduce((sum, error) => sum + error ** 2, 0) / CELLS,
    largestError: errors.reduce((most, error) => Math.max(most, error)),
    slopes: [slope.reduce((a, b) => Math.min(a, b)), slope.reduce((a, b) => Math.max(a, b))],
    attainable: attainableSlopes(flow),
  };
}

/** The slopes of a chain lie between the products of its bijections' least and greatest slopes. */
function attainableSlopes(flow: Flow): Range {
  return flow.chain.bijections.reduce<Range>(
    ([least, most], bijection) => {
      const own = bijection.slopes?.() ?? [Number.NaN, Number.NaN];
      return [least * own[0], most * own[1]];
    },
    [1, 1],
  );
}

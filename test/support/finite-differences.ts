import type { Parameter } from "../../src/model/parameters.js";
import { expectClose } from "./close.js";

const STEP = 1e-5;

/** The gradient of `f`, which depends on `values`, by central differences: one number after the other. */
export async function numericalGradient(
  f: () => Promise<number>,
  values: Float64Array,
): Promise<Float64Array> {
  const gradient = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const here = values[i];
    values[i] = here + STEP;
    const above = await f();
    values[i] = here - STEP;
    gradient[i] = (above - (await f())) / (2 * STEP);
    values[i] = here;
  }
  return gradient;
}

/** Expects the gradient of every learned parameter to be that of `f` by finite differences. */
export async function expectGradients(
  parameters: readonly Parameter[],
  f: () => Promise<number>,
  tolerance = 1e-7,
): Promise<void> {
  for (const { name, learned, values, gradient } of parameters) {
    if (learned) expectClose(gradient, await numericalGradient(f, values), tolerance, `gradient of ${name}`);
  }
}

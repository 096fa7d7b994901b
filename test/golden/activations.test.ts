import { describe, expect, it } from "vitest";
import { activation } from "../../src/activations/index.js";
import { type Engine, matrix, paddedLanes } from "../../src/engine/engine.js";
import { numbers } from "../../src/engine/pointwise.js";
import { engines, golden, relativeError } from "./golden.js";

const file = golden("activations");
const x: number[] = file.x;
const names = ["CPila", "CLipSwish", "CReLU"];
const ORDERS = ["value", "first", "second"] as const;

const parameterOf = (name: string) => {
  const { learned } = activation(name);
  return learned ? learned.link(learned.initial) : 0;
};

it.each(names)("the formula of %s", (name) => {
  for (const order of ORDERS) {
    if (!file[name][order]) continue;
    const jets = x.map((at) => activation(name).jets(numbers, at, parameterOf(name)));
    const actual = jets.flatMap((outputs) => outputs.map((jet) => jet[order]));
    expect(relativeError(actual, file[name][order])).toBeLessThan(1e-9);
  }
});

/** Value and first derivative, as a kernel computes them: the jet of x with tangent 1. */
async function jetsOn(engine: Engine, name: string): Promise<{ value: number[]; first: number[] }> {
  const batch = paddedLanes(engine, x.length);
  const pre = matrix(engine.tensor(2 * batch), 1, 2 * batch);
  const out = matrix(engine.tensor(4 * batch), 2, 2 * batch);
  engine.write(pre.tensor, x);
  engine.write(pre.tensor, new Array(batch).fill(1), batch);
  engine.pointwise(activation(name), out, pre, batch, parameterOf(name));
  const all = new Float64Array(4 * batch);
  await engine.read(out.tensor, all);
  const pairs = (first: number) => x.flatMap((_, i) => [all[first + i], all[first + 2 * batch + i]]);
  return { value: pairs(0), first: pairs(batch) };
}

describe.each(engines)("on %s", (_, tolerance, create) => {
  it.each(names)("%s", async (name) => {
    const actual = await jetsOn(await create(), name);
    expect(relativeError(actual.value, file[name].value)).toBeLessThan(tolerance);
    expect(relativeError(actual.first, file[name].first)).toBeLessThan(tolerance);
  });
});

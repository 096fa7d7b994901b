import { describe, expect, it } from "vitest";
import { ExactRegime } from "../../src/bijections/exact-regime.js";
import { InverseResidual } from "../../src/bijections/inverse-residual.js";
import { Monotone } from "../../src/bijections/monotone.js";
import { Residual } from "../../src/bijections/residual.js";
import { type Engine, matrix, paddedLanes } from "../../src/engine/engine.js";
import { FRESH } from "../../src/logdet/probes.js";
import { collectGradient } from "../../src/model/gradients.js";
import { Parameters } from "../../src/model/parameters.js";
import { Purpose, Random } from "../../src/model/random.js";
import { LipschitzNetwork } from "../../src/networks/lipschitz-network.js";
import { engines, flatten, golden, relativeError } from "./golden.js";

const kinds = { monotone: Monotone, residual: Residual, "inverse-residual": InverseResidual };
const cases = golden("dense-blocks").cases;

function build(engine: Engine, test: (typeof cases)[number]) {
  const parameters = new Parameters();
  const { dim, depth, growth, activation } = test;
  const { coeff, lipCoeff: lip } = test.parameters;
  const declaration = { kind: "dense", depth, growth, activation, coeff, lip } as const;
  const more = { powerIterations: 5, learnConcatenationFrom: 0 };
  const random = new Random(0, Purpose.initialisation);
  const network = new LipschitzNetwork(engine, parameters, "g", dim, { ...declaration, ...more }, random);
  parameters.seal();
  const find = (name: string) => {
    const parameter = parameters.list.find((p) => p.name === name);
    if (!parameter) throw new Error(name);
    return parameter;
  };
  for (let l = 0; l <= depth; l++) {
    find(`g.weight.${l}`).values.set(flatten(test.parameters.weight[l]));
    find(`g.bias.${l}`).values.set(flatten(test.parameters.bias[l]));
  }
  find("g.concatenation").values.set(flatten(test.parameters.concat));
  void network.iterate(20000); // Matrices: at once.
  return { network, find };
}

/** A host array [sample][dim] to an engine matrix [dim][lane], and back. */
function upload(engine: Engine, rows: number[][]) {
  const lanes = paddedLanes(engine, rows.length);
  const m = matrix(engine.tensor(rows[0].length * lanes), rows[0].length, lanes);
  rows.forEach((row, i) => {
    row.forEach((value, j) => {
      engine.write(m.tensor, [value], j * lanes + i);
    });
  });
  return m;
}

async function download(engine: Engine, m: ReturnType<typeof upload>, count: number) {
  const all = new Float64Array(m.rows * m.lanes);
  await engine.read(m.tensor, all, m.offset);
  return Float64Array.from(
    { length: count * m.rows },
    (_, i) => all[(i % m.rows) * m.lanes + Math.floor(i / m.rows)],
  );
}

describe.each(engines)("dense blocks on %s", (_, tolerance, create) => {
  for (const [index, test] of cases.entries()) {
    const count = test.x.length;
    for (const kind of Object.keys(kinds) as (keyof typeof kinds)[]) {
      it(`case ${index}: ${kind} in ${test.dim}-D with ${test.activation}`, async () => {
        const engine = await create();
        const { network, find } = build(engine, test);
        const block = new kinds[kind](engine, new ExactRegime(engine, network, count));
        const expected = test.blocks[kind];
        const x = upload(engine, test.x);
        const y = upload(engine, test.x);
        const logDet = matrix(engine.tensor(x.lanes), 1, x.lanes);
        block.prepare();
        await block.forward(y, x, logDet, FRESH);
        expect(relativeError(await download(engine, y, count), expected.y)).toBeLessThan(tolerance);
        expect(relativeError(await download(engine, logDet, count), expected.logDet)).toBeLessThan(tolerance);

        const xBar = upload(engine, test.x);
        const yBar = upload(engine, test.cotangent.y);
        const logDetBar = upload(
          engine,
          test.cotangent.logDet.map((v: number) => [v]),
        );
        await block.backward(xBar, yBar, logDetBar, FRESH);
        await collectGradient(block);
        expect(relativeError(await download(engine, xBar, count), expected.gradient.x)).toBeLessThan(
          tolerance,
        );
        for (let l = 0; l <= test.depth; l++) {
          expect(relativeError(find(`g.weight.${l}`).gradient, expected.gradient.weight[l])).toBeLessThan(
            tolerance,
          );
          expect(relativeError(find(`g.bias.${l}`).gradient, expected.gradient.bias[l])).toBeLessThan(
            tolerance,
          );
        }
        expect(relativeError(find("g.concatenation").gradient, expected.gradient.concat)).toBeLessThan(
          tolerance,
        );

        const back = upload(engine, test.x);
        engine.fill(logDet, 0);
        await block.inverse(back, y, logDet, FRESH);
        expect(relativeError(await download(engine, back, count), test.x)).toBeLessThan(tolerance);
        const negative = expected.logDet.map((v: number) => -v);
        expect(relativeError(await download(engine, logDet, count), negative)).toBeLessThan(tolerance);
        expect(block.counts.unconverged).toBe(0);
      });
    }
  }
});

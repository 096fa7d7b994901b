/** Convolutional networks and their blocks: values, products with the Jacobian, log-determinants. */
import { describe, expect, it } from "vitest";
import { Monotone } from "../../src/bijections/monotone.js";
import { Residual } from "../../src/bijections/residual.js";
import { StochasticRegime } from "../../src/bijections/stochastic-regime.js";
import { type Engine, lanesOf, type Matrix, matrix } from "../../src/engine/engine.js";
import { FRESH, Probes } from "../../src/logdet/probes.js";
import { Parameters } from "../../src/model/parameters.js";
import { Purpose, Random } from "../../src/model/random.js";
import { LipschitzNetwork } from "../../src/networks/lipschitz-network.js";
import { engines, flatten, golden, relativeError } from "./golden.js";

type Images = number[][][][];
const test = golden("conv-network");
const [samples, channels, height, width] = test.shape as [number, number, number, number];
const places = height * width;

async function build(engine: Engine) {
  const parameters = new Parameters();
  const network = new LipschitzNetwork(
    engine,
    parameters,
    "g",
    channels,
    {
      kind: "dense",
      kernel: 3,
      depth: test.depth,
      growth: test.growth,
      activation: test.activation,
      coeff: test.coeff,
      lip: test.lipCoeff,
      powerIterations: 1,
      spectralTolerance: engine.epsilon,
      learnConcatenationFrom: 0,
    },
    new Random(0, Purpose.initialisation),
    { height, width },
  );
  parameters.seal();
  const set = (name: string, values: number[]) =>
    parameters.list.find((p) => p.name === name)?.values.set(values);
  for (let l = 0; l <= test.depth; l++) {
    // [out][in][ky][kx] there, [out][tap][in] here.
    const weight = (test.parameters.weight[l] as Images).map((row) =>
      row[0].flatMap((line, ky) => line.map((_, kx) => row.map((kernel) => kernel[ky][kx]))),
    );
    set(`g.weight.${l}`, flatten(weight));
    set(`g.bias.${l}`, flatten(test.parameters.bias[l]));
  }
  set("g.concatenation", flatten(test.parameters.concat));
  await network.iterate(20_000);
  network.prepare();
  return network;
}

/** [sample][channel][y][x] there, [channel][y][x][sample] here. */
const toLanes = (images: Images) =>
  Float64Array.from({ length: channels * places * samples }, (_, i) => {
    const [place, s] = [Math.floor(i / samples) % places, i % samples];
    return images[s][Math.floor(i / (places * samples))][Math.floor(place / width)][place % width];
  });
const fromLanes = (values: Float64Array) =>
  Float64Array.from({ length: values.length }, (_, i) => {
    const numbers = channels * places;
    return values[(i % numbers) * samples + Math.floor(i / numbers)];
  });

function upload(engine: Engine, images: Images): Matrix {
  const m = matrix(engine.tensor(channels * places * samples), channels, places * samples);
  engine.write(m.tensor, toLanes(images));
  return m;
}

async function download(engine: Engine, m: Matrix): Promise<Float64Array> {
  const compact = matrix(engine.tensor(m.rows * m.lanes), m.rows, m.lanes);
  engine.combine(compact, 1, m);
  const values = new Float64Array(m.rows * m.lanes);
  await engine.read(compact.tensor, values);
  return fromLanes(values);
}

describe.each(engines)("a convolutional network on %s", (name, tolerance, create) => {
  it("has the spectral norms of its layers on the grid", async () => {
    const engine = await create();
    const network = await build(engine);
    network.spectralNorms().forEach((sigma, l) => {
      expect(Math.abs(sigma / test.sigma[l] - 1)).toBeLessThan(tolerance);
    });
  });

  it("has its values and the products with its Jacobian", async () => {
    const engine = await create();
    const network = await build(engine);
    const views = network.views(network.workspace(samples, 1), samples, 1);
    const segment = (m: Matrix, k: number) => lanesOf(m, k * views.batch, views.batch);
    engine.combine(segment(views.input, 0), 1, upload(engine, test.x));
    engine.combine(segment(views.input, 1), 1, upload(engine, test.v));
    network.evaluate(views);
    expect(relativeError(await download(engine, segment(views.output, 0)), test.value)).toBeLessThan(
      tolerance,
    );
    expect(relativeError(await download(engine, segment(views.output, 1)), test.jvp)).toBeLessThan(tolerance);
    network.linearise(views);
    network.transposedProduct(views, upload(engine, test.u));
    expect(relativeError(await download(engine, segment(views.inputBar, 0)), test.vjp)).toBeLessThan(
      tolerance,
    );
    const dots = matrix(engine.tensor(samples), 1, samples);
    engine.sampleDots(dots, segment(views.inputBar, 0), upload(engine, test.v));
    const sums = new Float64Array(samples);
    await engine.read(dots.tensor, sums);
    expect(Math.abs(sums.reduce((a, b) => a + b, 0) / test.uJv - 1)).toBeLessThan(tolerance);
  });

  it("has the traces v^T J^k v of its powers", async () => {
    const engine = await create();
    const network = await build(engine);
    const views = network.views(network.workspace(samples, 0), samples, 0);
    engine.combine(views.input, 1, upload(engine, test.x));
    network.evaluate(views);
    const probe = upload(engine, test.v);
    const dots = matrix(engine.tensor(samples), 1, samples);
    const powers: number[][] = [];
    network.linearise(views);
    for (let k = 0; k < test.powers[0].length; k++) {
      network.transposedProduct(views, k === 0 ? probe : views.inputBar);
      engine.sampleDots(dots, views.inputBar, probe);
      const row = new Float64Array(samples);
      await engine.read(dots.tensor, row);
      powers.push([...row]);
    }
    const actual = Array.from({ length: samples }, (_, s) => powers.map((row) => row[s])).flat();
    expect(relativeError(actual, test.powers)).toBeLessThan(tolerance);
  });

  it("makes a residual and a monotone block of known log-determinants", async () => {
    const engine = await create();
    const network = await build(engine);
    const estimator = {
      law: "poisson",
      rate: 2,
      exactTerms: 10,
      exactTermsInEvaluation: 20,
      probe: "rademacher",
      probes: 1,
    } as const;
    const probes = new Probes({ ...estimator, tolerance: 1e-5 });
    const pass = { ...FRESH, exact: true };
    const solving = 8 * engine.epsilon;
    const regime = new StochasticRegime(network, {
      engine,
      capacity: samples,
      probes,
      tolerance: solving,
    });
    const [x, y] = [upload(engine, test.x), upload(engine, test.x)];
    const logDet = matrix(engine.tensor(samples), 1, samples);
    const read = async () => {
      const values = new Float64Array(samples);
      await engine.read(logDet.tensor, values);
      return values;
    };
    await new Residual(engine, regime).forward(y, x, logDet, pass);
    expect(relativeError(await read(), test.logDetResidual)).toBeLessThan(tolerance);

    engine.fill(logDet, 0);
    const monotone = new Monotone(engine, regime);
    await monotone.forward(y, x, logDet, pass);
    expect(relativeError(await download(engine, y), test.monotone.y)).toBeLessThan(tolerance);
    expect(relativeError(await read(), test.monotone.logDet)).toBeLessThan(tolerance);
    const w = upload(engine, test.x);
    engine.combine(w, 1, x, 1, y);
    expect(relativeError(await download(engine, w), test.monotone.w)).toBeLessThan(tolerance);
    await monotone.inverse(x, y, null, pass);
    expect(relativeError(await download(engine, x), test.x)).toBeLessThan(tolerance);
    expect(regime.counts.unconverged).toBe(0);
    if (name === "reference") expect(regime.counts.evaluations).toBeLessThan(120);
  });
});

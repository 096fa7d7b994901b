import { describe, expect, it } from "vitest";
import { formulations } from "../../test/support/bijections.js";
import { expectClose } from "../../test/support/close.js";
import { expectGradients, numericalGradient } from "../../test/support/finite-differences.js";
import { randomise } from "../../test/support/networks.js";
import { testRandom } from "../../test/support/rows.js";
import { type Engine, type Grid, matrix } from "../engine/engine.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { WasmEngine } from "../engine/wasm/engine.js";
import type { Estimator } from "../logdet/estimator.js";
import { FRESH, type PassKey, Probes } from "../logdet/probes.js";
import { survival, weights } from "../logdet/roulette.js";
import { collectGradient } from "../model/gradients.js";
import { Parameters } from "../model/parameters.js";
import type { NetworkDeclaration } from "../networks/declaration.js";
import { LipschitzNetwork } from "../networks/lipschitz-network.js";
import { InverseResidual } from "./inverse-residual.js";
import { Monotone } from "./monotone.js";
import { Residual } from "./residual.js";
import { StochasticRegime } from "./stochastic-regime.js";

const FORMULATIONS = { residual: Residual, "inverse-residual": InverseResidual, monotone: Monotone };
const DECLARATION: NetworkDeclaration = {
  kind: "dense",
  depth: 2,
  growth: 4,
  activation: "CPila",
  coeff: 0.8,
  lip: 0.9,
  powerIterations: 1,
  spectralTolerance: 1e-14,
  learnConcatenationFrom: 0,
};
const ESTIMATOR: Estimator = {
  law: "poisson",
  rate: 2,
  exactTerms: 10,
  exactTermsInEvaluation: 10,
  probe: "rademacher",
  probes: 1,
  tolerance: 1e-13,
};
const convolution = { channels: 2, grid: { height: 2, width: 3 }, network: { kernel: 3 as const } };
/** That of Residual Flow: pre-activation, and kernels 3-1-3. */
const published = {
  ...convolution,
  network: { kind: "multilayer" as const, kernel: [3, 1, 3] as const, preactivation: true },
};
const connected = { channels: 6, grid: null, network: { stem: 3 } };

interface Setup {
  channels: number;
  grid: Grid | null;
  network: Partial<NetworkDeclaration>;
}

/** The first `dim` probes are the axes, times the root of dim: their mean is the trace itself. */
class Axes extends Probes {
  override fill(out: Float64Array, dim: number, samples: number, _block: number, probe: number): void {
    out.fill(0);
    out.fill(Math.sqrt(dim), probe * samples, (probe + 1) * samples);
  }
}

/** A block on random images, [channel][place][sample], with random cotangents. */
async function blockOf(
  engine: Engine,
  kind: (typeof formulations)[number],
  { channels, grid, network: more }: Setup,
  probes: Probes,
  options: { samples?: number; tolerance?: number; seed?: number; scale?: number } = {},
) {
  const { samples = 4, tolerance = 1e-13, seed = 31, scale = 2 } = options;
  const parameters = new Parameters();
  const random = testRandom(seed);
  const network = new LipschitzNetwork(
    engine,
    parameters,
    "g",
    channels,
    { ...DECLARATION, ...more },
    random,
    grid,
  );
  parameters.seal();
  randomise(parameters, random, scale);
  await network.iterate(3000);
  const regime = new StochasticRegime(network, { engine, capacity: samples, probes, tolerance });
  const block = new FORMULATIONS[kind](engine, regime);
  const lanes = network.places * samples;
  const size = channels * lanes;
  const normal = (n: number) => Float64Array.from({ length: n }, () => random.normal());
  const shaped = () => matrix(engine.tensor(size), channels, lanes);
  const [x, y, xBar, yBar] = [shaped(), shaped(), shaped(), shaped()];
  const [logDet, logDetBar] = [0, 1].map(() => matrix(engine.tensor(samples), 1, samples));
  const values = normal(size);
  const weights = normal(size);
  const logDetWeights = normal(samples);
  let pass = FRESH;
  const forward = async (step: number, exact: boolean, key: Partial<PassKey> = {}) => {
    pass = { seed: 3, step, first: 0, training: !exact, exact, ...key };
    block.prepare();
    engine.write(x.tensor, values);
    engine.fill(logDet, 0);
    await block.forward(y, x, logDet, pass);
    const out = new Float64Array(size);
    const determinants = new Float64Array(samples);
    await engine.read(y.tensor, out);
    await engine.read(logDet.tensor, determinants);
    return { out, determinants };
  };
  return {
    parameters,
    regime,
    block,
    x,
    y,
    values,
    forward,
    /** sum of weights y + sum of weights logDet. */
    async scalar(step: number, exact: boolean) {
      const { out, determinants } = await forward(step, exact);
      const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, v, i) => sum + v * b[i], 0);
      return dot(out, weights) + dot(determinants, logDetWeights);
    },
    /** Its gradients: that of x is returned, those of the parameters are in theirs. */
    async backward(): Promise<Float64Array> {
      parameters.gradient.fill(0);
      engine.write(yBar.tensor, weights);
      engine.write(logDetBar.tensor, logDetWeights);
      await block.backward(xBar, yBar, logDetBar, pass);
      await collectGradient(block);
      const result = new Float64Array(size);
      await engine.read(xBar.tensor, result);
      return result;
    },
  };
}

const setups = [
  ["convolutions", convolution],
  ["a stem", connected],
] as const;
const cases = [
  ...formulations.flatMap((kind) => setups.map(([name, setup]) => ({ kind, name, setup: setup as Setup }))),
  // What a block does hangs on the formulation, what its network does does not: one of them is enough.
  { kind: "monotone", name: "kernels 3-1-3 behind a pre-activation", setup: published as Setup },
] as const;

describe.each(cases)("a $kind block with $name", ({ kind, setup }) => {
  const engine = new ReferenceEngine();
  const dim = setup.channels * (setup.grid ? setup.grid.height * setup.grid.width : 1);

  it("has the gradients of finite differences where its probes are the axes and its series is long", async () => {
    const probes = new Axes({ ...ESTIMATOR, exactTerms: 200, probes: dim });
    const network = { ...setup.network, activation: "CLipSwish" };
    const made = await blockOf(engine, kind, { ...setup, network }, probes, { samples: 2 });
    const estimated = await made.scalar(0, false);
    const xBar = await made.backward();
    const exact = () => made.scalar(0, true);
    expectClose([estimated], [await exact()], 1e-10);
    expectClose(xBar, await numericalGradient(exact, made.values), 1e-7, "gradient of x");
    await expectGradients(made.parameters.list, exact);
    expect(made.regime.counts.unconverged).toBe(0);
  });

  it("comes back from where it went, on the fast engine", async () => {
    const wasm = await WasmEngine.create();
    const probes = new Probes(ESTIMATOR);
    const made = await blockOf(wasm, kind, setup, probes, { tolerance: 1e-6 });
    await made.forward(0, false);
    await made.block.inverse(made.x, made.y, null, FRESH);
    const back = new Float64Array(made.values.length);
    await wasm.read(made.x.tensor, back);
    expectClose(back, made.values, 1e-4);
    expect(made.regime.counts.unconverged).toBe(0);
  });
});

/**
 * Means of many draws against exact values. Each of the compared means is normal to a good approximation, so one of
 * them leaves 4.5 standard errors with the probability 7e-6; some 400 are compared: a false alarm in 300 changes of
 * seed or code.
 */
const ALLOWED = 4.5;
const DRAWS = 400;

describe.each([
  { law: "poisson", probe: "rademacher", rate: 2, probes: 1 },
  { law: "geometric", probe: "normal", rate: 0.5, probes: 2 },
] as const)("with $law roulette and $probes $probe probes", (law) => {
  it.each(formulations)("a %s block estimates log-determinant and gradients without bias", async (kind) => {
    const engine = new ReferenceEngine();
    // So few exact terms that most of the series hangs on the roulette.
    const estimator: Estimator = { ...ESTIMATOR, ...law, exactTerms: 2, exactTermsInEvaluation: 2 };
    const axes = new Axes({ ...ESTIMATOR, exactTerms: 200, probes: 12 });
    const options = { samples: 1, tolerance: 1e-10, scale: 1.2 };
    const exact = await blockOf(engine, kind, convolution, axes, options);
    const { determinants: expected } = await exact.forward(0, true);
    await exact.forward(0, false);
    const exactGradients = [...(await exact.backward()), ...exact.parameters.gradient];

    const made = await blockOf(engine, kind, convolution, new Probes(estimator), options);
    const count = 1 + exactGradients.length;
    const [sums, squares] = [new Float64Array(count), new Float64Array(count)];
    for (let draw = 0; draw < DRAWS; draw++) {
      const { determinants } = await made.forward(draw, false);
      const gradients = [...(await made.backward()), ...made.parameters.gradient];
      [determinants[0], ...gradients].forEach((value, i) => {
        sums[i] += value;
        squares[i] += value * value;
      });
    }
    [expected[0], ...exactGradients].forEach((value, i) => {
      const mean = sums[i] / DRAWS;
      const error = Math.sqrt(Math.max(0, squares[i] / DRAWS - mean ** 2) / DRAWS);
      expect(Math.abs(mean - value)).toBeLessThan(ALLOWED * error + 1e-8 * Math.max(1, Math.abs(value)));
    });
    // The log-determinant of one draw scatters, and yet its mean is known well.
    const scatter = Math.sqrt(squares[0] / DRAWS - (sums[0] / DRAWS) ** 2);
    expect(scatter).toBeGreaterThan(1e-3);
    expect(scatter / Math.sqrt(DRAWS)).toBeLessThan(0.1);
  });
});

/**
 * G(x) = 0.66 x on all six numbers of an image, by x = max(x, 0) - max(-x, 0): steep enough that an estimate with wrong
 * weights is wrong by nats. A probe of signs gives v^T J^k v = 6 0.66^k without scatter, so that only N is left to chance.
 */
describe.each([
  { law: "poisson", rate: 2, exact: 0 },
  { law: "poisson", rate: 2, exact: 3 },
  { law: "geometric", rate: 0.5, exact: 0 },
  { law: "geometric", rate: 0.5, exact: 3 },
] as const)("of a steep linear map, with $law roulette after $exact exact terms", (roulette) => {
  const SLOPE = 0.66;
  const DIM = 6;
  const { law, rate, exact } = roulette;
  const estimator: Estimator = { ...ESTIMATOR, law, rate, exactTerms: exact, exactTermsInEvaluation: exact };
  const network = { kind: "multilayer", depth: 1, growth: 2, activation: "CReLU", coeff: 0.98 } as const;
  /** Of log det(I + J) and log det(I - J). */
  const factors = { residual: [1, 0], "inverse-residual": [-1, 0], monotone: [-1, 1] };

  async function linear(kind: (typeof formulations)[number], probes: Probes) {
    const setup: Setup = { channels: 1, grid: convolution.grid, network };
    const made = await blockOf(new ReferenceEngine(), kind, setup, probes, { samples: 1 });
    const values = (name: string) => made.parameters.list.find((p) => p.name === name)!.values;
    // Both with the norm 0.966, below the limit.
    const first = Math.sqrt(SLOPE * Math.SQRT2);
    values("g.weight.0").set([first]);
    values("g.weight.1").set([SLOPE / first, -SLOPE / first]);
    values("g.bias.0").fill(0);
    values("g.bias.1").fill(0);
    await made.block.iterate(100);
    return made;
  }

  /** Draws as many terms as its `count` says, and weighs them as roulette does or not at all. */
  class FixedTerms extends Probes {
    count = 0;
    weighted = true;
    override terms() {
      const own = weights(roulette, this.count);
      return { count: this.count, weights: this.weighted ? own : own.fill(1) };
    }
  }

  it.each(formulations)("a %s block has the exact mean over all numbers of terms", async (kind) => {
    const probes = new FixedTerms(estimator);
    const made = await linear(kind, probes);
    const [plus, minus] = factors[kind];
    const { determinants } = await made.forward(0, true);
    const logDet = DIM * (plus * Math.log1p(SLOPE) + minus * Math.log1p(-SLOPE));
    expect(determinants[0], "log-determinant by whole Jacobians").toBeCloseTo(logDet, 10);
    const draw = async (count: number, weighted: boolean) => {
      Object.assign(probes, { count, weighted });
      const { determinants } = await made.forward(0, false);
      return [determinants[0], ...(await made.backward()), ...made.parameters.gradient];
    };
    // A series that ends: all that N draws beyond its end gives the same.
    const last = exact + 10;
    const whole = await draw(last, false);
    let series = 0;
    for (let k = 1; k <= last; k++) series += (DIM * ((k % 2 === 0 ? -plus : plus) - minus) * SLOPE ** k) / k;
    expect(whole[0], `${last} terms of the series`).toBeCloseTo(series, 10);
    const mean = whole.map(() => 0);
    let unweighted = 0;
    for (let n = exact; n <= last; n++) {
      const probability = survival(roulette, n) - (n === last ? 0 : survival(roulette, n + 1));
      for (const [i, value] of (await draw(n, true)).entries()) mean[i] += probability * value;
      unweighted += probability * (await draw(n, false))[0];
    }
    expectClose(mean, whole, 1e-8, "means of the log-determinant and of gradients");
    // So wrong would weights of 1 be.
    expect(Math.abs(unweighted - logDet)).toBeGreaterThan(kind === "monotone" ? 0.2 : 0.005);
  });

  // At 4.5 standard errors, as above.
  it.skipIf(exact > 0)(
    "a monotone block comes near it in the mean of draws, in training and elsewhere",
    async () => {
      const probes = new Probes(estimator);
      const made = await linear("monotone", probes);
      const logDet = DIM * (Math.log1p(-SLOPE) - Math.log1p(SLOPE));
      for (const training of [true, false]) {
        const draws = 400;
        let [sum, squares] = [0, 0];
        for (let seed = 0; seed < draws; seed++) {
          const { determinants } = await made.forward(0, false, { training, seed });
          sum += determinants[0];
          squares += determinants[0] ** 2;
        }
        const mean = sum / draws;
        const error = Math.sqrt((squares / draws - mean ** 2) / draws);
        expect(Math.abs(mean - logDet) / error, `standard errors, training: ${training}`).toBeLessThan(
          ALLOWED,
        );
        expect(error, "nats that the mean is known to").toBeLessThan(0.3);
      }
    },
  );
});

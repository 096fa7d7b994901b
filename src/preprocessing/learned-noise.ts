/**
 * Variational dequantization (Ho et al. 2019, "Flow++", section 3.1): learned noise u in (0, 1) on pixels x,
 *   u = sigmoid(v), v = m(x) + e^s(x) eps, eps standard normal,
 * a number of m and s for every number of an image, from two small networks. As log P(x) of the discrete pixels is at
 * least the mean of log p(x + u) - log q(u | x), training learns the noise together with the flow.
 */

import { type Engine, type Matrix, paddedLanes } from "../engine/engine.js";
import type { PassKey } from "../logdet/probes.js";
import { type GradientSource, joint } from "../model/gradients.js";
import type { ParameterMaker } from "../model/parameters.js";
import { Purpose, Random } from "../model/random.js";
import type { NetworkDeclaration } from "../networks/declaration.js";
import { LipschitzNetwork } from "../networks/lipschitz-network.js";
import type { Views, Workspace } from "../networks/workspace.js";
import type { Shape } from "../shape.js";
import type { Preprocessing, Rows } from "./preprocessing.js";

/** The deviation of v where s(x) = 0: sigmoid(v) is then almost uniform, so training starts from uniform noise. */
const DEVIATION = 1.7;
const HALF_LOG_TWO_PI = 0.5 * Math.log(2 * Math.PI);

export class LearnedNoise implements Preprocessing {
  readonly term = "noise";
  readonly drawn = true;
  readonly #engine: Engine;
  readonly #image: Shape & { readonly levels: number };
  readonly #dim: number;
  /** m and s. */
  readonly gradients: GradientSource;
  readonly #networks: readonly LipschitzNetwork[];
  readonly #workspaces: readonly Workspace[];
  // What the last `draw` has left for `backward`, a row a number of the image.
  readonly #pixels: Float64Array;
  readonly #v: Float64Array;
  /** e^s eps, which is dv/ds. */
  readonly #deviate: Float64Array;
  /** m and s, then their cotangents. */
  readonly #outputs: readonly [Float64Array, Float64Array];
  #views: readonly Views[] = [];

  /** `randoms` start the weights of m and of s; `capacity` is the most images of a call. */
  constructor(
    engine: Engine,
    parameters: ParameterMaker,
    image: Shape & { readonly levels: number },
    network: NetworkDeclaration,
    randoms: readonly [Random, Random],
    capacity: number,
  ) {
    this.#engine = engine;
    this.#image = image;
    this.#dim = image.channels * image.height * image.width;
    this.#networks = ["mean", "deviation"].map(
      (name, i) =>
        new LipschitzNetwork(
          engine,
          parameters,
          `dequantizer.${name}`,
          image.channels,
          network,
          randoms[i],
          image,
        ),
    );
    this.gradients = joint(this.#networks);
    const [m, s] = this.#networks;
    const first = m.workspace(capacity, 0);
    this.#workspaces = [first, s.workspace(capacity, 0, first)];
    const numbers = () => new Float64Array(this.#dim * paddedLanes(engine, capacity));
    this.#pixels = numbers();
    this.#v = numbers();
    this.#deviate = numbers();
    this.#outputs = [numbers(), numbers()];
  }

  prepare(): void {
    for (const network of this.#networks) network.prepare();
  }

  async iterate(rounds?: number): Promise<void> {
    for (const network of this.#networks)
      await network.iterate(rounds ?? network.declaration.powerIterations);
  }

  async startNorms(): Promise<void> {
    for (const network of this.#networks) await network.startNorms();
  }

  /**
   * Pixels with noise in place of images, minus log q(u | x). What the images hold beyond whole pixels is left out. The
   * noise of an image is named by the seed and step of the pass and the image's number. Images with numbers outside of 0 to
   * `levels` are marked, and drawn as if they were black.
   */
  async forward(rows: Rows, { seed, step, first }: PassKey): Promise<void> {
    const { values: images, count, term, outside } = rows;
    const dim = this.#dim;
    const lanes = paddedLanes(this.#engine, count);
    const { levels } = this.#image;
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < dim; j++) {
        const x = images[i * dim + j];
        if (!(x >= 0 && x <= levels)) outside[i] = 1;
      }
    }
    const pixelOf = (i: number, j: number) =>
      outside[i] ? 0 : Math.min(Math.floor(images[i * dim + j]), levels - 1);
    const pixels = this.#pixels.fill(0);
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < dim; j++) {
        pixels[j * lanes + i] = (2 * pixelOf(i, j)) / (levels - 1) - 1;
      }
    }
    this.#views = this.#networks.map((network, n) => network.views(this.#workspaces[n], lanes, 0));
    for (const [n, network] of this.#networks.entries()) {
      const { input, output } = this.#views[n];
      this.#write(input, pixels);
      network.evaluate(this.#views[n]);
      await this.#read(output, this.#outputs[n]);
    }
    const [means, logDeviations] = this.#outputs;
    const random = new Random(seed, Purpose.dequantization);
    for (let i = 0; i < count; i++) {
      random.seek(step, first + i);
      for (let j = 0; j < dim; j++) {
        const at = j * lanes + i;
        const epsilon = random.normal();
        const s = logDeviations[at] + Math.log(DEVIATION);
        this.#deviate[at] = Math.exp(s) * epsilon;
        const v = means[at] + this.#deviate[at];
        this.#v[at] = v;
        images[i * dim + j] = pixelOf(i, j) + sigmoid(v);
        // ln du/dv = ln(u (1 - u)) = -|v| - 2 ln(1 + e^-|v|).
        const size = Math.abs(v);
        term[i] += epsilon ** 2 / 2 + HALF_LOG_TWO_PI + s - size - 2 * Math.log1p(Math.exp(-size));
      }
    }
  }

  /** What was drawn is left out of points that come back. */
  inverse(): void {}

  backward(noisyBar: Float64Array, count: number, termBar: number): void {
    const dim = this.#dim;
    const lanes = paddedLanes(this.#engine, count);
    const [meanBars, logDeviationBars] = this.#outputs;
    meanBars.fill(0);
    logDeviationBars.fill(0);
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < dim; j++) {
        const at = j * lanes + i;
        const u = sigmoid(this.#v[at]);
        const vBar = noisyBar[i * dim + j] * u * (1 - u) + termBar * (1 - 2 * u);
        meanBars[at] = vBar;
        logDeviationBars[at] = vBar * this.#deviate[at] + termBar;
      }
    }
    for (const [n, network] of this.#networks.entries()) {
      const { outputBar } = this.#views[n];
      this.#write(outputBar, this.#outputs[n]);
      network.backwardValuesOnly(this.#views[n], outputBar);
    }
  }

  /** A channel is a row of a network's matrices, and `lanes` numbers in a row here. */
  #write(m: Matrix, numbers: Float64Array): void {
    for (let c = 0; c < m.rows; c++) {
      this.#engine.write(m.tensor, numbers.subarray(c * m.lanes, (c + 1) * m.lanes), m.offset + c * m.stride);
    }
  }

  async #read(m: Matrix, numbers: Float64Array): Promise<void> {
    for (let c = 0; c < m.rows; c++) {
      const row = numbers.subarray(c * m.lanes, (c + 1) * m.lanes);
      await this.#engine.read(m.tensor, row, m.offset + c * m.stride);
    }
  }
}

const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));

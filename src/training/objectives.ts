/**
 * What training makes small, as a mean over the samples of a batch:
 *   likelihood: -log p(x), a sample being x; with learned noise u on pixels, log q(u | x) - log p(x + u);
 *   regression: |F(x) - t|^2 / dim, a sample being the pair (x, t).
 */
import { paddedLanes } from "../engine/engine.js";
import type { Flow } from "../flows/flow.js";
import { FRESH, type PassKey } from "../logdet/probes.js";

export interface Objective {
  /** Numbers of a sample. */
  readonly columns: number;
  /** Puts the inputs x of `count` samples (row-major) at the start of the flow's chain; `key` as in `pass`. */
  write(samples: Float64Array, count: number, key?: PassKey): Promise<void>;
  /**
   * Runs the flow forwards and backwards on the inputs that `write` put there. The gradient of `weight` times the
   * samples' losses is left to be collected from the flow. `key` says which samples of which step they are.
   * Returns the sum of the losses.
   */
  pass(samples: Float64Array, count: number, weight: number, key?: PassKey): Promise<number>;
}

/** What training makes small: -log p(x), or |F(x) - t|^2 / dim of pairs (x, t). */
export type ObjectiveName = "likelihood" | "regression";

export function objective(name: ObjectiveName, flow: Flow): Objective {
  return name === "likelihood" ? new Likelihood(flow) : new Regression(flow);
}

class Likelihood implements Objective {
  readonly columns: number;
  readonly #flow: Flow;
  readonly #logProb: Float64Array;

  constructor(flow: Flow) {
    this.#flow = flow;
    this.columns = flow.dim;
    this.#logProb = new Float64Array(flow.capacity);
  }

  async write(samples: Float64Array, count: number, key?: PassKey): Promise<void> {
    await this.#flow.enter(samples, count, key, true);
  }

  async pass(_samples: Float64Array, count: number, weight: number, key?: PassKey): Promise<number> {
    await this.#flow.likelihoodPass(count, weight, this.#logProb, key);
    let sum = 0;
    for (let i = 0; i < count; i++) sum -= this.#logProb[i];
    return sum;
  }
}

class Regression implements Objective {
  readonly columns: number;
  readonly #flow: Flow;
  readonly #inputs: Float64Array;
  /** F(x), then its cotangents; a row a dimension. */
  readonly #outputs: Float64Array;

  constructor(flow: Flow) {
    this.#flow = flow;
    this.columns = 2 * flow.dim;
    this.#inputs = new Float64Array(flow.dim * flow.capacity);
    this.#outputs = new Float64Array(flow.dim * paddedLanes(flow.engine, flow.capacity));
  }

  async write(samples: Float64Array, count: number): Promise<void> {
    const { dim } = this.#flow;
    for (let i = 0; i < count; i++) {
      const first = i * this.columns;
      this.#inputs.set(samples.subarray(first, first + dim), i * dim);
    }
    await this.#flow.enter(this.#inputs, count);
  }

  /** The gradient is that of zBar^T F(x), zBar = dloss/dF(x). */
  async pass(samples: Float64Array, count: number, weight: number, key = FRESH): Promise<number> {
    const { dim, engine, chain } = this.#flow;
    await chain.forward(count, key, null);
    const { tensor, offset, lanes } = chain.point(chain.length, count);
    const outputs = this.#outputs.subarray(0, dim * lanes);
    await engine.read(tensor, outputs, offset);
    let sum = 0;
    for (let i = 0; i < count; i++) if (this.#flow.isOutside(i)) sum = Number.POSITIVE_INFINITY;
    for (let j = 0; j < dim; j++) {
      for (let i = 0; i < count; i++) {
        const difference = outputs[j * lanes + i] - samples[i * this.columns + dim + j];
        sum += difference ** 2 / dim;
        outputs[j * lanes + i] = (2 * weight * difference) / dim;
      }
      outputs.fill(0, j * lanes + count, (j + 1) * lanes);
    }
    const { tensor: bars, offset: first } = chain.outputBar(count);
    engine.write(bars, outputs, first);
    await chain.backward(count, key, null);
    return sum;
  }
}

import { Actnorm } from "../../src/bijections/actnorm.js";
import type { Bijection } from "../../src/bijections/bijection.js";
import { ExactRegime } from "../../src/bijections/exact-regime.js";
import { InverseResidual } from "../../src/bijections/inverse-residual.js";
import { Monotone } from "../../src/bijections/monotone.js";
import { Residual } from "../../src/bijections/residual.js";
import type { Engine, Matrix } from "../../src/engine/engine.js";
import { FRESH } from "../../src/logdet/probes.js";
import { collectGradient } from "../../src/model/gradients.js";
import { Parameters } from "../../src/model/parameters.js";
import { type NetworkOptions, smallNetwork } from "./networks.js";
import { download, type Rows, testRandom, upload } from "./rows.js";

const FORMULATIONS = { residual: Residual, "inverse-residual": InverseResidual, monotone: Monotone };
export const formulations = Object.keys(FORMULATIONS) as (keyof typeof FORMULATIONS)[];
export type Kind = keyof typeof FORMULATIONS | "actnorm";
export const kinds: Kind[] = [...formulations, "actnorm"];

/** One bijection with random parameters, called with samples on the host. */
export class Probe {
  readonly bijection: Bijection;
  readonly parameters: Parameters;
  readonly #engine: Engine;

  /** `capacity` is the largest number of samples of a call. */
  constructor(engine: Engine, kind: Kind, options: NetworkOptions & { scale?: number } = {}, capacity = 16) {
    this.#engine = engine;
    if (kind === "actnorm") {
      const random = testRandom(options.seed ?? 0);
      this.parameters = new Parameters();
      this.bijection = new Actnorm(engine, this.parameters, "a", options.dim ?? 2);
      this.parameters.seal();
      this.parameters.values.set(this.parameters.values.map(() => random.normal()));
    } else {
      const { scale, ...own } = options;
      const { network, parameters } = smallNetwork(engine, own);
      this.parameters = parameters;
      this.bijection = new FORMULATIONS[kind](engine, new ExactRegime(engine, network, capacity), scale);
    }
    this.bijection.prepare();
  }

  /** The certified Lipschitz constant of the network inside. */
  get lipschitz(): number {
    return this.bijection.lipschitzBound?.() ?? Number.NaN;
  }

  async #apply(direction: "forward" | "inverse", rows: Rows) {
    const input = upload(this.#engine, rows);
    const out = upload(this.#engine, rows);
    const logDet = upload(
      this.#engine,
      rows.map(() => [0]),
    );
    await this.bijection[direction](out, input, logDet, FRESH);
    return { out: await this.#rows(out, rows), logDet: (await this.#rows(logDet, rows)).flat() };
  }

  forward(x: Rows) {
    return this.#apply("forward", x);
  }

  inverse(y: Rows) {
    return this.#apply("inverse", y);
  }

  /** The cotangent of x for the last `forward`; the parameters' gradients are set to their part. */
  async backward(yBar: Rows, logDetBar: readonly number[]): Promise<Rows> {
    this.parameters.gradient.fill(0);
    const xBar = upload(this.#engine, yBar);
    await this.bijection.backward(
      xBar,
      upload(this.#engine, yBar),
      upload(
        this.#engine,
        logDetBar.map((bar) => [bar]),
      ),
      FRESH,
    );
    await collectGradient(this.bijection);
    return this.#rows(xBar, yBar);
  }

  #rows(m: Matrix, like: Rows): Promise<Rows> {
    return download(this.#engine, m, like.length);
  }
}

import type { Engine, Matrix } from "../engine/engine.js";
import { LipschitzBlock } from "./lipschitz-block.js";
import type { Regime } from "./regime.js";

/**
 * F = ((Id + G)/2)^-1 - Id (Ahn et al. 2022): w + G(w) = 2x, y = w - x,
 * log det(I - J(w)) - log det(I + J(w)). The inverse is the same formula with -G in place of G.
 *
 * With a scale s it is s F(x / s): w + G(w) = 2x / s, y = s w - x, with the same log-determinant. The code of the original
 * study has s = sqrt 2.
 */
export class Monotone extends LipschitzBlock {
  readonly kind = "monotone";
  readonly #scale: number;

  constructor(engine: Engine, regime: Regime, scale = 1) {
    super(engine, regime);
    this.#scale = scale;
  }

  async forward(y: Matrix, x: Matrix, logDet: Matrix | null): Promise<void> {
    await this.#cayley(y, x, 1);
    if (logDet) await this.regime.addLogDet(logDet, -1, 1);
  }

  async inverse(x: Matrix, y: Matrix, logDet: Matrix | null): Promise<void> {
    await this.#cayley(x, y, -1);
    if (logDet) await this.regime.addLogDet(logDet, 1, -1);
  }

  /** w + sign G(w) = 2 input / s, out = s w - input. */
  async #cayley(out: Matrix, input: Matrix, sign: 1 | -1): Promise<void> {
    const target = this.regime.vector(0, input);
    this.engine.combine(target, 2 / this.#scale, input);
    await this.regime.solve(out, target, target, sign);
    this.engine.combine(out, this.#scale, out, -1, input);
  }

  /** (I + J)^T u = s yBar + (log-determinant's part), xBar = 2u / s - yBar; the parameters receive -(dG/dtheta)^T u. */
  async backward(xBar: Matrix, yBar: Matrix, logDetBar: Matrix | null): Promise<void> {
    const { engine, regime } = this;
    const scale = this.#scale;
    if (scale !== 1) engine.combine(yBar, scale, yBar);
    const right = regime.vector(0, yBar);
    const u = regime.vector(1, yBar);
    regime.logDetBackward(right, yBar, logDetBar, -1, 1);
    await regime.solveTransposed(u, right, 1);
    engine.combine(xBar, 2 / scale, u, -1 / scale, yBar);
    engine.combine(right, -1, u);
    regime.finish(right, logDetBar);
  }
}

import type { Matrix } from "../engine/engine.js";
import { LipschitzBlock } from "./lipschitz-block.js";

/**
 * F = ((Id + G)/2)^-1 - Id (Ahn et al. 2022): w + G(w) = 2x, y = w - x,
 * log det(I - J(w)) - log det(I + J(w)). The inverse is the same formula with -G in place of G.
 */
export class Monotone extends LipschitzBlock {
  readonly kind = "monotone";

  async forward(y: Matrix, x: Matrix, logDet: Matrix | null): Promise<void> {
    await this.#cayley(y, x, 1);
    if (logDet) await this.regime.addLogDet(logDet, -1, 1);
  }

  async inverse(x: Matrix, y: Matrix, logDet: Matrix | null): Promise<void> {
    await this.#cayley(x, y, -1);
    if (logDet) await this.regime.addLogDet(logDet, 1, -1);
  }

  /** w + sign G(w) = 2 input, out = w - input. */
  async #cayley(out: Matrix, input: Matrix, sign: 1 | -1): Promise<void> {
    const twice = this.regime.vector(0, input);
    this.engine.combine(twice, 2, input);
    await this.regime.solve(out, twice, twice, sign);
    this.engine.combine(out, 1, out, -1, input);
  }

  /** (I + J)^T u = yBar + (log-determinant's part), xBar = 2u - yBar; the parameters receive -(dG/dtheta)^T u. */
  async backward(xBar: Matrix, yBar: Matrix, logDetBar: Matrix | null): Promise<void> {
    const { engine, regime } = this;
    const right = regime.vector(0, yBar);
    const u = regime.vector(1, yBar);
    regime.logDetBackward(right, yBar, logDetBar, -1, 1);
    await regime.solveTransposed(u, right, 1);
    engine.combine(xBar, 2, u, -1, yBar);
    engine.combine(right, -1, u);
    regime.finish(right, logDetBar);
  }
}

import type { Matrix } from "../engine/engine.js";
import { LipschitzBlock } from "./lipschitz-block.js";

/**
 * F = ((Id + G)/2)^-1 - Id (Ahn et al. 2022): w + G(w) = 2x, y = w - x,
 * log det(I - J(w)) - log det(I + J(w)). The inverse is the same formula with -G in place of G.
 */
export class Monotone extends LipschitzBlock {
  readonly kind = "monotone";

  async forward(y: Matrix, x: Matrix, logDet: Matrix | null): Promise<void> {
    const views = await this.#cayley(y, x, 1);
    if (logDet) this.engine.addLogDet(logDet, views.output, -1, 1);
  }

  async inverse(x: Matrix, y: Matrix, logDet: Matrix): Promise<void> {
    const views = await this.#cayley(x, y, -1);
    this.engine.addLogDet(logDet, views.output, 1, -1);
  }

  /** w + sign G(w) = 2 input, out = w - input. */
  async #cayley(out: Matrix, input: Matrix, sign: 1 | -1) {
    const twice = this.vector(0, input.lanes);
    this.engine.combine(twice, 2, input);
    const views = await this.solve(out, twice, twice, sign);
    this.engine.combine(out, 1, out, -1, input);
    return views;
  }

  /** (I + J)^T u = yBar + (log-determinant's part), xBar = 2u - yBar; the parameters receive -(dG/dtheta)^T u. */
  backward(xBar: Matrix, yBar: Matrix, logDetBar: Matrix | null): void {
    const { engine } = this;
    const views = this.views(yBar.lanes);
    const right = this.vector(0, yBar.lanes);
    const u = this.vector(1, yBar.lanes);
    this.logDetBackward(right, views, yBar, logDetBar, -1, 1);
    engine.solveTransposed(u, right, views.output, 1);
    engine.combine(xBar, 2, u, -1, yBar);
    engine.combine(right, -1, u);
    this.finish(views, right, logDetBar);
  }
}

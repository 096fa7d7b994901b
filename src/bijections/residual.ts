import type { Matrix } from "../engine/engine.js";
import { LipschitzBlock } from "./lipschitz-block.js";

/** y = x + G(x), log det(I + J(x)): i-ResNet (Behrmann et al. 2019), Residual Flow, i-DenseNet. */
export class Residual extends LipschitzBlock {
  readonly kind = "residual";

  async forward(y: Matrix, x: Matrix, logDet: Matrix | null): Promise<void> {
    const views = logDet ? this.evaluateAt(x) : this.evaluateValues(x);
    this.engine.combine(y, 1, x, 1, this.value(views));
    if (logDet) this.engine.addLogDet(logDet, views.output, 1, 0);
  }

  async inverse(x: Matrix, y: Matrix, logDet: Matrix): Promise<void> {
    const views = await this.solve(x, y, y, 1);
    this.engine.addLogDet(logDet, views.output, -1, 0);
  }

  /** xBar = yBar + J^T yBar + (log-determinant's part). */
  backward(xBar: Matrix, yBar: Matrix, logDetBar: Matrix | null): void {
    const views = this.views(yBar.lanes, logDetBar ? this.network.dim : 0);
    const direct = this.vector(0, yBar.lanes);
    this.logDetBackward(direct, views, yBar, logDetBar, 1, 0);
    // Here J^T yBar is wanted as well, and the second pass leaves it in the rows of the input.
    this.finish(views, yBar, logDetBar);
    this.engine.combine(xBar, 1, direct, 1, this.inputBar(views));
  }
}

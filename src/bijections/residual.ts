import type { Matrix } from "../engine/engine.js";
import { LipschitzBlock } from "./lipschitz-block.js";

/** y = x + G(x), log det(I + J(x)): i-ResNet (Behrmann et al. 2019), Residual Flow, i-DenseNet. */
export class Residual extends LipschitzBlock {
  readonly kind = "residual";

  async forward(y: Matrix, x: Matrix, logDet: Matrix): Promise<void> {
    const views = this.evaluateAt(x);
    this.engine.combine(y, 1, x, 1, this.value(views));
    this.engine.addLogDet(logDet, views.output, 1, 0);
  }

  async inverse(x: Matrix, y: Matrix, logDet: Matrix): Promise<void> {
    const views = await this.solve(x, y, y, 1);
    this.engine.addLogDet(logDet, views.output, -1, 0);
  }

  /** xBar = yBar + J^T yBar + (log-determinant's part). */
  backward(xBar: Matrix, yBar: Matrix, logDetBar: Matrix): void {
    const { engine } = this;
    const views = this.views(yBar.lanes);
    const fromLogDet = this.vector(0, yBar.lanes);
    engine.combine(fromLogDet, 1, this.logDetBackward(views, logDetBar, 1, 0), 1, yBar);
    // Here J^T yBar is wanted as well, and the second pass leaves it in the rows of the input.
    this.finish(views, yBar);
    engine.combine(xBar, 1, fromLogDet, 1, this.inputBar(views));
  }
}

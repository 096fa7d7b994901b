import type { Matrix } from "../engine/engine.js";
import { LipschitzBlock } from "./lipschitz-block.js";

/** y + G(y) = x, -log det(I + J(y)): the second half of an Implicit Flow block (Lu et al. 2021). */
export class InverseResidual extends LipschitzBlock {
  readonly kind = "inverse-residual";

  async forward(y: Matrix, x: Matrix, logDet: Matrix | null): Promise<void> {
    const views = await this.solve(y, x, x, 1);
    if (logDet) this.engine.addLogDet(logDet, views.output, -1, 0);
  }

  async inverse(x: Matrix, y: Matrix, logDet: Matrix): Promise<void> {
    const views = this.evaluateAt(y);
    this.engine.combine(x, 1, y, 1, this.value(views));
    this.engine.addLogDet(logDet, views.output, 1, 0);
  }

  /** (I + J)^T u = yBar + (log-determinant's part), xBar = u; the parameters receive -(dG/dtheta)^T u. */
  backward(xBar: Matrix, yBar: Matrix, logDetBar: Matrix | null): void {
    const { engine } = this;
    const views = this.views(yBar.lanes);
    const right = this.vector(0, yBar.lanes);
    const negative = this.vector(1, yBar.lanes);
    this.logDetBackward(right, views, yBar, logDetBar, -1, 0);
    engine.solveTransposed(xBar, right, views.output, 1);
    engine.combine(negative, -1, xBar);
    this.finish(views, negative, logDetBar);
  }
}

import { z } from "zod";
import type { Matrix } from "../engine/engine.js";
import type { Factors } from "../linear-algebra.js";
import type { PassKey } from "../logdet/probes.js";
import { networkSchema } from "../networks/declaration.js";
import { blockKind, type Equation, LipschitzBlock } from "./lipschitz-block.js";

/** y + G(y) = x, -log det(I + J(y)): the second half of an Implicit Flow block (Lu et al. 2021). */
export class InverseResidual extends LipschitzBlock {
  readonly kind = "inverse-residual";

  async forward(y: Matrix, x: Matrix, logDet: Matrix | null, pass: PassKey): Promise<void> {
    await this.regime.solve(y, x, x, 1, pass);
    if (logDet) await this.regime.addLogDet(logDet, -1, 0, pass);
  }

  async inverse(x: Matrix, y: Matrix, logDet: Matrix | null, pass: PassKey): Promise<void> {
    this.regime.evaluate(x, y, logDet !== null);
    this.engine.combine(x, 1, x, 1, y);
    if (logDet) await this.regime.addLogDet(logDet, 1, 0, pass);
  }

  /** (I + J)^T u = yBar + (log-determinant's part), xBar = u; the parameters receive -(dG/dtheta)^T u. */
  async backward(xBar: Matrix, yBar: Matrix, logDetBar: Matrix | null, pass: PassKey): Promise<void> {
    const { engine, regime } = this;
    const right = regime.vector(0, yBar);
    const negative = regime.vector(1, yBar);
    regime.logDetBackward(right, yBar, logDetBar, -1, 0, pass);
    await regime.solveTransposed(xBar, right, 1, pass);
    engine.combine(negative, -1, xBar);
    regime.finish(negative, logDetBar);
  }

  equation(x: Float64Array, y: Float64Array): Equation {
    return { point: y, sum: x };
  }

  logDetOf({ logDet }: Factors): number {
    return -logDet;
  }
}

const schema = z.strictObject({ kind: z.literal("inverse-residual"), network: networkSchema });

export const inverseResidual = blockKind(
  "inverse-residual",
  schema,
  (engine, regime) => new InverseResidual(engine, regime),
);

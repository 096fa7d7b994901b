import { z } from "zod";
import type { Matrix } from "../engine/engine.js";
import type { Factors } from "../linear-algebra.js";
import type { PassKey } from "../logdet/probes.js";
import { networkSchema } from "../networks/declaration.js";
import { blockKind, type Equation, LipschitzBlock } from "./lipschitz-block.js";

/** y = x + G(x), log det(I + J(x)): i-ResNet (Behrmann et al. 2019), Residual Flow, i-DenseNet. */
export class Residual extends LipschitzBlock {
  readonly kind = "residual";

  async forward(y: Matrix, x: Matrix, logDet: Matrix | null, pass: PassKey): Promise<void> {
    this.regime.evaluate(y, x, logDet !== null);
    this.engine.combine(y, 1, y, 1, x);
    if (logDet) await this.regime.addLogDet(logDet, 1, 0, pass);
  }

  async inverse(x: Matrix, y: Matrix, logDet: Matrix | null, pass: PassKey): Promise<void> {
    await this.regime.solve(x, y, y, 1, pass);
    if (logDet) await this.regime.addLogDet(logDet, -1, 0, pass);
  }

  /** xBar = yBar + J^T yBar + (log-determinant's part). */
  async backward(xBar: Matrix, yBar: Matrix, logDetBar: Matrix | null, pass: PassKey): Promise<void> {
    const direct = this.regime.vector(0, yBar);
    this.regime.logDetBackward(direct, yBar, logDetBar, 1, 0, pass);
    this.engine.combine(xBar, 1, direct, 1, this.regime.finish(yBar, logDetBar));
  }

  equation(x: Float64Array, y: Float64Array): Equation {
    return { point: x, sum: y };
  }

  logDetOf({ logDet }: Factors): number {
    return logDet;
  }
}

const schema = z.strictObject({ kind: z.literal("residual"), network: networkSchema });

export const residual = blockKind("residual", schema, (engine, regime) => new Residual(engine, regime));

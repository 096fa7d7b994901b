import { z } from "zod";
import type { Engine, Matrix } from "../engine/engine.js";
import { type Factors, factorise, solveFactorised } from "../linear-algebra.js";
import type { PassKey } from "../logdet/probes.js";
import { networkSchema } from "../networks/declaration.js";
import { blockKind, type Equation, LipschitzBlock } from "./lipschitz-block.js";
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
  readonly scale: number;

  constructor(engine: Engine, regime: Regime, scale = 1) {
    super(engine, regime);
    this.scale = scale;
  }

  async forward(y: Matrix, x: Matrix, logDet: Matrix | null, pass: PassKey): Promise<void> {
    await this.#cayley(y, x, 1, pass);
    if (logDet) await this.regime.addLogDet(logDet, -1, 1, pass);
  }

  async inverse(x: Matrix, y: Matrix, logDet: Matrix | null, pass: PassKey): Promise<void> {
    await this.#cayley(x, y, -1, pass);
    if (logDet) await this.regime.addLogDet(logDet, 1, -1, pass);
  }

  /** w + sign G(w) = 2 input / s, out = s w - input. */
  async #cayley(out: Matrix, input: Matrix, sign: 1 | -1, pass: PassKey): Promise<void> {
    const target = this.regime.vector(0, input);
    this.engine.combine(target, 2 / this.scale, input);
    await this.regime.solve(out, target, target, sign, pass);
    this.engine.combine(out, this.scale, out, -1, input);
  }

  /** (I + J)^T u = s yBar + (log-determinant's part), xBar = 2u / s - yBar; the parameters receive -(dG/dtheta)^T u. */
  async backward(xBar: Matrix, yBar: Matrix, logDetBar: Matrix | null, pass: PassKey): Promise<void> {
    const { engine, regime } = this;
    const { scale } = this;
    if (scale !== 1) engine.combine(yBar, scale, yBar);
    const right = regime.vector(0, yBar);
    const u = regime.vector(1, yBar);
    regime.logDetBackward(right, yBar, logDetBar, -1, 1, pass);
    await regime.solveTransposed(u, right, 1, pass);
    engine.combine(xBar, 2 / scale, u, -1 / scale, yBar);
    engine.combine(right, -1, u);
    regime.finish(right, logDetBar);
  }

  /** w = (x + y) / s, w + G(w) = 2x / s. */
  equation(x: Float64Array, y: Float64Array): Equation {
    const { scale } = this;
    return { point: x.map((value, i) => (value + y[i]) / scale), sum: x.map((value) => (2 * value) / scale) };
  }

  /** dF/dx = 2 (I + J)^-1 - I. */
  logDetOf(plusIdentity: Factors): number {
    const n = plusIdentity.size;
    const slopes = new Float64Array(n * n);
    for (let j = 0; j < n; j++) {
      const column = Float64Array.from({ length: n }, (_, i) => (i === j ? 2 : 0));
      solveFactorised(plusIdentity, column);
      column.forEach((value, i) => {
        slopes[i * n + j] = value - (i === j ? 1 : 0);
      });
    }
    return factorise(slopes).logDet;
  }
}

const schema = z.strictObject({
  kind: z.literal("monotone"),
  network: networkSchema,
  /** s of s F(x / s) (default 1). */
  scale: z.number().positive().optional(),
});

export const monotone = blockKind(
  "monotone",
  schema,
  (engine, regime, { scale }) => new Monotone(engine, regime, scale),
);

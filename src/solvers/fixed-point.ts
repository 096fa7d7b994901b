/**
 * Plain fixed point: w <- target - sign G(w) (Banach). With Lip(G) < 1 every step lowers the residual by the factor
 * Lip(G), so it arrives, but a G that is steep somewhere makes it slow there.
 */
import type { Engine } from "../engine/engine.js";
import { LaneSolver, type LaneSolverOptions } from "./lane-solver.js";

export class FixedPoint extends LaneSolver {
  constructor(engine: Engine, dim: number, capacity: number, options: LaneSolverOptions = {}) {
    super(engine, dim, capacity, 0, options);
  }

  protected mix(sample: number, newest: number): void {
    this.weights[newest * this.samples + sample] = 1;
  }
}

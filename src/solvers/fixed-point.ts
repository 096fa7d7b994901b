/**
 * Plain fixed point: w <- target - sign G(w) (Banach). With Lip(G) < 1 every step lowers the residual by the factor
 * Lip(G), so it arrives, but a G that is steep somewhere makes it slow there.
 */
import { LaneSolver } from "./lane-solver.js";

export class FixedPoint extends LaneSolver {
  protected next(lane: number): void {
    this.plainStep(lane, this.point, this.residual);
  }
}

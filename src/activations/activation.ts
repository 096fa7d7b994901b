import type { Arithmetic, PointwiseJet, PointwiseMap } from "../engine/pointwise.js";

/** A pointwise map for use in Lipschitz networks. */
export interface Activation extends PointwiseMap {
  /** Upper bound on the Lipschitz constant of x -> (all outputs), as a map into the plane when there are two. */
  readonly lipschitz: number;
  /**
   * A learned scalar: its name, its start, and the link from it to the parameter of the formula with the
   * link's derivative. Absent for fixed activations.
   */
  readonly learned?: {
    readonly name: string;
    readonly initial: number;
    link(raw: number): number;
    linkDerivative(raw: number): number;
  };
}

/** The jet of x -> f(-x), given the jet of f at -x. */
export function mirrored<T>(m: Arithmetic<T>, jet: PointwiseJet<T>): PointwiseJet<T> {
  const zero = m.constant(0);
  const result: PointwiseJet<T> = {
    value: jet.value,
    first: m.subtract(zero, jet.first),
    second: jet.second,
  };
  if (jet.byParameter) {
    result.byParameter = {
      value: jet.byParameter.value,
      first: m.subtract(zero, jet.byParameter.first),
    };
  }
  return result;
}

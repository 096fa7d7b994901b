/**
 * The certified bound on the Lipschitz constant of a network (docs/math.md, "Certified bounds"): the constants of its layers
 * multiply, and Lip([eta1 h, eta2 act(W h + b)]) <= |(eta1, eta2 Lip(act) |W|)|.
 */
import type { Etas } from "./concatenation.js";
import type { NetworkPlan } from "./plan.js";
import type { Effort } from "./running-bound.js";
import type { SpectralNorm } from "./spectral-norm.js";

/** The part of the distance to 1 that the declared limits leave which the bound on Lip(G) always keeps. */
const LEAST_MARGIN = 1 / 8;

export interface CertificateOptions {
  /** The Lipschitz constant of the activation. */
  readonly activation: number;
  /** Upper limit of every weight's spectral norm. */
  readonly coeff: number;
  /** That of the engine: so exact are the weights that it holds. */
  readonly epsilon: number;
}

export class Certificate {
  readonly #plan: NetworkPlan;
  readonly #norms: readonly SpectralNorm[];
  readonly #options: CertificateOptions;

  /** `norms`: those of the weights of the plan's layers. */
  constructor(plan: NetworkPlan, norms: readonly SpectralNorm[], options: CertificateOptions) {
    this.#plan = plan;
    this.#norms = norms;
    this.#options = options;
  }

  /** An upper bound on Lip(G) where the layers' weights are multiplied by these factors. */
  bound(etas: Etas, factors: ArrayLike<number>, effort: Effort): number {
    const slack = 1 + 4 * this.#options.epsilon;
    return this.#product(etas, (l) => this.#norms[l].bound(effort) * factors[l] * slack);
  }

  /** Whether bounds of one of these efforts leave a part of the distance to 1 that the declaration leaves. */
  isContraction(etas: Etas, factors: ArrayLike<number>, ...efforts: Effort[]): boolean {
    const declared = this.#product(etas, () => this.#options.coeff);
    return efforts.some((effort) => 1 - this.bound(etas, factors, effort) >= LEAST_MARGIN * (1 - declared));
  }

  /** The bound on Lip(G) from those on the norms of the normalised weights. */
  #product(etas: Etas, norm: (layer: number) => number): number {
    const { layers, preactivation } = this.#plan;
    const { activation } = this.#options;
    let bound = preactivation ? activation : 1;
    for (const [l, layer] of layers.entries()) {
      const own = norm(l) * (layer.activation ? activation : 1);
      const eta = layer.index === null ? undefined : etas[layer.index];
      bound *= eta ? Math.hypot(eta[0], eta[1] * own) : own;
    }
    return bound;
  }
}

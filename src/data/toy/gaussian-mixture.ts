/** One component of a mixture: its centre and its (unnormalised) weight. */
export interface Component {
  readonly x: number;
  readonly y: number;
  readonly weight: number;
}

/** Components that are neighbours in the list are kept or skipped together. */
const GROUP = 16;

/** Components whose exponent is lower than the best by more than this are left out: exp(-36) = 2e-16. */
const NEGLIGIBLE = 36;

/** What densities are computed from. */
class Tables {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly weight: Float64Array;
  readonly groupX: Float64Array;
  readonly groupY: Float64Array;
  readonly groupRadius: Float64Array;
  readonly groupDistance: Float64Array;
  readonly precision: number;
  readonly logNormaliser: number;

  constructor(components: readonly Component[], sigma: number) {
    this.x = Float64Array.from(components, (component) => component.x);
    this.y = Float64Array.from(components, (component) => component.y);
    this.weight = Float64Array.from(components, (component) => component.weight);
    this.precision = 1 / (sigma * sigma);
    const total = this.weight.reduce((sum, weight) => sum + weight, 0);
    this.logNormaliser = Math.log(2 * Math.PI * sigma * sigma * total);

    const groups = Math.ceil(components.length / GROUP);
    this.groupX = new Float64Array(groups);
    this.groupY = new Float64Array(groups);
    this.groupRadius = new Float64Array(groups);
    this.groupDistance = new Float64Array(groups);
    for (let group = 0; group < groups; group++) {
      const members = components.slice(group * GROUP, (group + 1) * GROUP);
      const x = members.reduce((sum, member) => sum + member.x, 0) / members.length;
      const y = members.reduce((sum, member) => sum + member.y, 0) / members.length;
      this.groupX[group] = x;
      this.groupY[group] = y;
      this.groupRadius[group] = Math.max(...members.map((member) => Math.hypot(member.x - x, member.y - y)));
    }
  }
}

/**
 * p(x) = sum_i w_i N(x; c_i, sigma^2 I), in two dimensions. A curve blurred by Gaussian noise is such a
 * mixture too: its components are the nodes of a quadrature along the curve.
 *
 * Far components are skipped by groups, each with a bounding circle, so a density evaluation costs
 * about as much as the components near the point; that pays if neighbours in the list lie close together.
 */
export class GaussianMixture {
  readonly #components: readonly Component[] | (() => readonly Component[]);
  readonly #sigma: number;
  #tables: Tables | null = null;

  /**
   * The weights may have any positive sum. A function is called for the components at the first density: to draw
   * samples, as training does, nobody needs them.
   */
  constructor(components: readonly Component[] | (() => readonly Component[]), sigma: number) {
    this.#components = components;
    this.#sigma = sigma;
  }

  /** log p(x, y) in nats. */
  logDensity(x: number, y: number): number {
    const components = this.#components;
    this.#tables ??= new Tables(typeof components === "function" ? components() : components, this.#sigma);
    const tables = this.#tables;
    const distances = tables.groupDistance;
    // The nearest component is at most this far away.
    let nearest = Number.POSITIVE_INFINITY;
    for (let group = 0; group < distances.length; group++) {
      const dx = x - tables.groupX[group];
      const dy = y - tables.groupY[group];
      const distance = Math.sqrt(dx * dx + dy * dy);
      distances[group] = distance;
      nearest = Math.min(nearest, distance + tables.groupRadius[group]);
    }
    const halfPrecision = tables.precision / 2;
    const best = nearest * nearest;
    if (best === Number.POSITIVE_INFINITY) return Number.NEGATIVE_INFINITY;
    const farthest = Math.sqrt(best + NEGLIGIBLE / halfPrecision);

    // Sums exp(exponent - shift); the shift moves up to the largest exponent met so far.
    let shift = -halfPrecision * best;
    let sum = 0;
    for (let group = 0; group < distances.length; group++) {
      if (distances[group] - tables.groupRadius[group] > farthest) continue;
      const end = Math.min((group + 1) * GROUP, tables.x.length);
      for (let i = group * GROUP; i < end; i++) {
        const dx = x - tables.x[i];
        const dy = y - tables.y[i];
        const exponent = -halfPrecision * (dx * dx + dy * dy);
        if (exponent < shift - NEGLIGIBLE) continue;
        if (exponent > shift) {
          sum *= Math.exp(shift - exponent);
          shift = exponent;
        }
        sum += tables.weight[i] * Math.exp(exponent - shift);
      }
    }
    return shift + Math.log(sum) - tables.logNormaliser;
  }
}

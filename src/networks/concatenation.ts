/**
 * Learnable dense concatenation (Perugachi-Diaz et al. 2021, i-DenseNet): h -> [eta1 h, eta2 act(W h + b)],
 *   eta_i = lip (softplus(kappa_i) + 0.1) / |(softplus(kappa_1) + 0.1, softplus(kappa_2) + 0.1)|.
 *
 * The factors are folded into the weights instead of being applied to the features: layer l multiplies the
 * g-th group of the raw features [x, a_1, ..., a_l] by s[l][g], where s[0] = (1), s[l+1] = (eta1_l s[l], eta2_l).
 */
import type { Parameter } from "../model/parameters.js";

/** (eta1, eta2) of each layer; none where nothing is concatenated. */
export type Etas = readonly (readonly [number, number])[];

/** The concatenations of a network: (kappa_1, kappa_2) of each, which it learns, and what they come to. */
export class Concatenation {
  readonly #kappa: Parameter | null;
  readonly #lip: number;

  /** `kappa` is [layer][2], or null where nothing is concatenated; `lip` the Lipschitz constant of one concatenation. */
  constructor(kappa: Parameter | null, lip: number) {
    this.#kappa = kappa;
    this.#lip = lip;
  }

  etas(): Etas {
    const kappa = this.#kappa;
    if (!kappa) return [];
    return Array.from({ length: kappa.shape[0] }, (_, l) =>
      concatenationFactors(kappa.values.subarray(2 * l, 2 * l + 2), this.#lip),
    );
  }

  /** Adds to the kappas' gradient what that of their etas comes to. */
  addGradient(etasBar: Etas): void {
    const kappa = this.#kappa;
    if (!kappa) return;
    for (const [l, etaBar] of etasBar.entries()) {
      const [bar, values] = [kappa.gradient, kappa.values].map((all) => all.subarray(2 * l, 2 * l + 2));
      concatenationFactorsBackward(bar, values, this.#lip, etaBar);
    }
  }
}

const softplus = (x: number) => Math.log1p(Math.exp(-Math.abs(x))) + Math.max(x, 0);
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** (eta1, eta2) of a pair of kappas. */
function concatenationFactors(kappa: ArrayLike<number>, lip: number): [number, number] {
  const p1 = softplus(kappa[0]) + 0.1;
  const p2 = softplus(kappa[1]) + 0.1;
  const norm = Math.hypot(p1, p2);
  return [(lip * p1) / norm, (lip * p2) / norm];
}

/** Given dLoss/deta, adds dLoss/dkappa to `kappaBar`. */
function concatenationFactorsBackward(
  kappaBar: Float64Array,
  kappa: ArrayLike<number>,
  lip: number,
  etaBar: readonly [number, number],
): void {
  const p1 = softplus(kappa[0]) + 0.1;
  const p2 = softplus(kappa[1]) + 0.1;
  const norm = Math.hypot(p1, p2);
  // d(p1/n) = p2 (p2 dp1 - p1 dp2) / n^3, and the same with 1 and 2 exchanged.
  const along = (lip * (p2 * etaBar[0] - p1 * etaBar[1])) / norm ** 3;
  kappaBar[0] += along * p2 * sigmoid(kappa[0]);
  kappaBar[1] -= along * p1 * sigmoid(kappa[1]);
}

/** s[l][g] for l = 0 .. number of pairs, from the pairs (eta1, eta2) of each layer. */
export function groupScales(etas: Etas): number[][] {
  const scales = [[1]];
  for (const [keep, add] of etas) {
    scales.push([...(scales.at(-1) as number[]).map((s) => keep * s), add]);
  }
  return scales;
}

/** The cotangents of the etas, from those of all s[l][g] (which are used up on the way). */
export function groupScalesBackward(
  etas: Etas,
  scales: readonly number[][],
  scalesBar: number[][],
): [number, number][] {
  const etasBar: [number, number][] = etas.map(() => [0, 0]);
  for (let l = etas.length - 1; l >= 0; l--) {
    scales[l].forEach((s, g) => {
      etasBar[l][0] += scalesBar[l + 1][g] * s;
      scalesBar[l][g] += scalesBar[l + 1][g] * etas[l][0];
    });
    etasBar[l][1] = scalesBar[l + 1][l + 1];
  }
  return etasBar;
}

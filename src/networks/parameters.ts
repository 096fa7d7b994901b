/** The parameters of a Lipschitz network: what it learns, and the vectors of the power iterations on its weights. */
import type { Activation } from "../activations/activation.js";
import type { Engine, Grid } from "../engine/engine.js";
import type { Parameter, ParameterMaker } from "../model/parameters.js";
import type { Random } from "../model/random.js";
import type { NetworkDeclaration } from "./declaration.js";
import { GridNorm } from "./grid-norm.js";
import { MatrixNorm } from "./matrix-norm.js";
import type { NetworkPlan } from "./plan.js";
import type { SpectralNorm } from "./spectral-norm.js";

export interface LayerParameters {
  readonly weight: Parameter;
  readonly bias: Parameter;
  /** The spectral norm of the weight. */
  readonly norm: SpectralNorm;
  /** That of its activation, where it has a learned one. */
  readonly beta: Parameter | null;
}

export interface NetworkParameters {
  readonly layers: readonly LayerParameters[];
  /** That of the pre-activation, where there is a learned one. */
  readonly beta: Parameter | null;
  /** (kappa_1, kappa_2) of each concatenation; null where nothing is concatenated. */
  readonly kappa: Parameter | null;
}

/** How much smaller the closing layer starts than the others, unless it starts as they do. */
const NEAR_ZERO = { weight: 0.3, bias: 0 };

/**
 * Makes them, under names that start with `name`. Weights and biases start uniform on +-1/sqrt(fan-in), but the closing
 * layer, unless it is declared to start as the others, with small weights and no bias: G starts near 0, every block near
 * the identity, which trains faster than a random map to begin with.
 */
export function networkParameters(
  engine: Engine,
  parameters: ParameterMaker,
  name: string,
  plan: NetworkPlan,
  declaration: NetworkDeclaration,
  { learned }: Activation,
  random: Random,
  grid: Grid | null,
): NetworkParameters {
  const betaOf = (label: number | string) =>
    learned
      ? parameters.learned(`${name}.${learned.name}.${label}`, [1], Float64Array.of(learned.initial))
      : null;
  const beta = plan.preactivation ? betaOf("input") : null;
  const layers = plan.layers.map(({ rows, columns, taps, firstOutput, activation }, l) => {
    const scale =
      firstOutput === null && declaration.closingStart !== "uniform" ? NEAR_ZERO : { weight: 1, bias: 1 };
    const fanIn = taps * columns;
    const uniform = (n: number, scale: number) =>
      Float64Array.from({ length: n }, () => (scale / Math.sqrt(fanIn)) * (2 * random.uniform() - 1));
    const shape = taps === 1 ? [rows, columns] : [rows, taps, columns];
    const weight = parameters.learned(`${name}.weight.${l}`, shape, uniform(rows * fanIn, scale.weight));
    const bias = parameters.learned(`${name}.bias.${l}`, [rows], uniform(rows, scale.bias));
    const norm =
      taps === 1 || !grid
        ? new MatrixNorm(parameters, name, l, weight, random)
        : new GridNorm(engine, parameters, name, l, weight, grid, random);
    return { weight, bias, norm, beta: activation ? betaOf(l) : null };
  });
  const { kind, depth, learnConcatenationFrom } = declaration;
  const kappa =
    kind === "dense"
      ? parameters.learned(`${name}.concatenation`, [depth, 2], new Float64Array(2 * depth).fill(1))
      : null;
  if (kappa) kappa.learnFrom = learnConcatenationFrom;
  return { layers, beta, kappa };
}

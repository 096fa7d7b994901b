/** A Lipschitz network G (docs/math.md, "Lipschitz networks") on an engine: its weights, and its sweeps over samples. */
import type { Activation } from "../activations/activation.js";
import { activation } from "../activations/index.js";
import type { Engine, Grid, Matrix } from "../engine/engine.js";
import type { GradientSource } from "../model/gradients.js";
import type { ParameterMaker } from "../model/parameters.js";
import type { Random } from "../model/random.js";
import { Certificate } from "./certificate.js";
import type { NetworkDeclaration } from "./declaration.js";
import { EffectiveWeights } from "./effective-weights.js";
import { MatrixNorm } from "./matrix-norm.js";
import { Normalisation } from "./normalisation.js";
import { type NetworkParameters, networkParameters } from "./parameters.js";
import { PlacedActivation } from "./placed-activation.js";
import { type NetworkPlan, planNetwork } from "./plan.js";
import { type Step, Sweeps } from "./sweeps.js";
import { lanesASample, makeViews, makeWorkspace, type Views, type Workspace } from "./workspace.js";

/** Rounds of power iteration before the first step. */
const FIRST_ROUNDS = 200;

export class LipschitzNetwork implements GradientSource {
  /** Channels of its inputs, and of its outputs. */
  readonly dim: number;
  readonly declaration: NetworkDeclaration;
  readonly activation: Activation;
  /** The pixels of an image; null for vectors. */
  readonly grid: Grid | null;
  readonly gradientLength: number;
  readonly #engine: Engine;
  readonly #plan: NetworkPlan;
  readonly #parameters: NetworkParameters;
  readonly #weights: EffectiveWeights;
  readonly #normalisation: Normalisation;
  /** In the order of evaluation. */
  readonly #activations: readonly PlacedActivation[];
  readonly #sweeps: Sweeps;

  /**
   * A network with fresh weights (`networkParameters`), in parameters whose names start with `name`. Their spectral norms
   * wait for `startNorms` or `iterate`. Throws a `usage` error for layers, activation and kernels that do not fit one another.
   */
  constructor(
    engine: Engine,
    parameters: ParameterMaker,
    name: string,
    dim: number,
    declaration: NetworkDeclaration,
    random: Random,
    grid: Grid | null = null,
  ) {
    this.#engine = engine;
    this.dim = dim;
    this.grid = grid;
    this.declaration = declaration;
    this.activation = activation(declaration.activation);
    const plan = planNetwork(name, dim, declaration, this.activation, grid !== null);
    this.#plan = plan;
    this.gradientLength = plan.size;
    this.#weights = new EffectiveWeights(engine, plan);
    const made = networkParameters(
      engine,
      parameters,
      name,
      plan,
      declaration,
      this.activation,
      random,
      grid,
    );
    this.#parameters = made;
    const norms = made.layers.map(({ norm }) => norm);
    const certificate = new Certificate(plan, norms, {
      activation: this.activation.lipschitz,
      coeff: declaration.coeff,
      epsilon: engine.epsilon,
    });
    this.#normalisation = new Normalisation(plan, made, declaration, certificate, this.#weights);
    const steps = this.#steps();
    this.#activations = steps.flatMap((step) => step.activation ?? []);
    this.#sweeps = new Sweeps(engine, this.activation, steps);
  }

  /** The pre-activation, if there is one, and the layers. */
  #steps(): Step[] {
    const { layers, preactivation } = this.#plan;
    const steps = layers.map(({ taps, addsToInputBar, activation }, l) => ({
      weights: this.#weights.layers[l],
      activation:
        activation &&
        new PlacedActivation(this.activation, this.#parameters.layers[l].beta, activation, this.#weights),
      grid: taps === 1 ? null : this.grid,
      addsToInputBar,
    }));
    if (!preactivation) return steps;
    const first = new PlacedActivation(this.activation, this.#parameters.beta, preactivation, this.#weights);
    return [{ weights: null, activation: first, grid: null, addsToInputBar: false }, ...steps];
  }

  /**
   * Power iteration on the weights that it starts with, until their norms have converged. Of matrices it takes so little
   * time that their declared tolerance does not end it.
   */
  async startNorms(): Promise<void> {
    for (const { norm } of this.#parameters.layers)
      if (norm instanceof MatrixNorm) norm.iterate(FIRST_ROUNDS, 0);
    if (this.grid) await this.iterate(FIRST_ROUNDS);
  }

  /** At most `rounds` rounds of power iteration on every weight; at once where all are matrices. */
  iterate(rounds: number): Promise<void> {
    return this.#normalisation.iterate(rounds);
  }

  /**
   * Sends the normalised weights, the concatenation factors folded in, to the engine: each divided by what power iteration
   * has found of its norm, or, where these do not make G a contraction for certain, by certified bounds of the norms.
   * Of convolutions whose margin is wide power iteration is trusted until `makeCertain`; where the declaration limits by
   * estimates, always.
   */
  prepare(): void {
    this.#normalisation.prepare();
  }

  /** Certifies that G is a contraction as the engine holds it, once after every `prepare`; else makes it one. */
  makeCertain(): void {
    this.#normalisation.makeCertain();
  }

  takeGradient(out: Float64Array): Promise<void> {
    return this.#weights.takeGradient(out);
  }

  pullBack(bars: Float64Array): void {
    this.#normalisation.pullBack(bars);
    for (const activation of this.#activations) activation.pullBack(bars);
  }

  /** The spectral norm of each layer's weight, before it is limited, as power iteration has found it. */
  spectralNorms(): number[] {
    return this.#parameters.layers.map(({ norm }) => norm.sigma());
  }

  /**
   * The norm that each layer's weight was last taken to have: it is divided by max(1, norm / coeff). Where certified bounds
   * do not take its place, it is that of `spectralNorms`.
   */
  limitingNorms(): number[] {
    return this.#normalisation.sigmas();
  }

  /**
   * A certified upper bound on Lip(G): from the weights as the engine holds them (to its rounding), each bounded by
   * `SpectralNorm.bound`, and `Certificate`. Infinity where a weight is not finite. `tight` takes a hundred times as long
   * for convolutions, and is the same for matrices.
   */
  lipschitzBound(effort: "certain" | "tight" = "certain"): number {
    const bound = this.#normalisation.bound(effort);
    return Number.isNaN(bound) ? Number.POSITIVE_INFINITY : bound;
  }

  /** Lanes that a sample takes. */
  get places(): number {
    return lanesASample(this.grid);
  }

  /**
   * Memory for up to `capacity` samples. Networks whose backward passes never overlap may share the part that those
   * use: `sharing` is the workspace of another network of the same declaration, at the same capacity.
   */
  workspace(capacity: number, tangents: number, sharing?: Workspace): Workspace {
    return makeWorkspace(this.#engine, this.#plan, this.grid, capacity, tangents, sharing);
  }

  /** The matrices for so many samples: those of the capacity, or fewer. */
  views(workspace: Workspace, samples: number, tangents: number): Views {
    return makeViews(this.#plan, this.grid, workspace, samples, tangents);
  }

  /** views.output = jet of G at the jet in views.input. */
  evaluate(views: Views): void {
    this.#sweeps.evaluate(views);
  }

  /**
   * Cotangents of the jet in views.outputBar down to those of the pre-activations and of the input
   * (views.inputBar). Leaves the weights' gradients to `accumulate`.
   */
  backward(views: Views): void {
    this.#sweeps.backward(views);
  }

  /**
   * A second backward pass, for cotangents of the values alone, on top of `backward`: adds to those of output and
   * pre-activations, and leaves its own cotangent of the input in the value lanes of views.inputBar.
   */
  backwardValues(views: Views, valueBar: Matrix): void {
    this.#sweeps.backwardValues(views, valueBar);
  }

  /**
   * A backward pass without `backward` before it, for cotangents of the values alone: leaves J^T valueBar in the
   * value lanes of views.inputBar, and adds the weights' gradients.
   */
  backwardValuesOnly(views: Views, valueBar: Matrix): void {
    this.#sweeps.backwardValuesOnly(views, valueBar);
  }

  /** Adds the weights' gradients of the backward passes since `evaluate`. */
  accumulate(views: Views): void {
    this.#sweeps.accumulate(views);
  }

  /** Keeps the slopes at the point of the last `evaluate`, for `transposedProduct`. */
  linearise(views: Views): void {
    this.#sweeps.linearise(views);
  }

  /** J^T valueBar into the value lanes of views.inputBar, at the point of the last `linearise`; no gradients. */
  transposedProduct(views: Views, valueBar: Matrix): void {
    this.#sweeps.transposedProduct(views, valueBar);
  }
}

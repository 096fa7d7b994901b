/**
 * Lipschitz networks on a bank of features (math.md, "Lipschitz networks"). Every network here is a list of
 * layers a_l = act(W_l h_l + b_l) and a closing linear layer; h_l is a stretch of the rows of one matrix that
 * starts with the input x and to which each a_l is appended. Dense concatenation reads all rows up to a_l,
 * a multilayer perceptron only the last a_l. Nothing is ever copied to concatenate.
 *
 * On images a layer is a 3 x 3 or a 1 x 1 convolution; a place of the grid is then what a sample is elsewhere. A *stem*,
 * a linear layer without activation, takes many inputs to fewer features first. A *pre-activation* (He et al. 2016;
 * Residual Flow) applies the activation to x, ahead of the first layer, which then reads act(x).
 */

import type { Activation } from "../activations/activation.js";
import { activation } from "../activations/index.js";
import {
  type Engine,
  type Grid,
  lanesOf,
  type Matrix,
  matrix,
  paddedLanes,
  rowsOf,
  TAPS,
  type Tensor,
} from "../engine/engine.js";
import { check, FlowError } from "../errors.js";
import type { GradientSource } from "../model/gradients.js";
import type { Parameter, ParameterMaker } from "../model/parameters.js";
import type { Random } from "../model/random.js";
import {
  concatenationFactors,
  concatenationFactorsBackward,
  groupScales,
  groupScalesBackward,
} from "./concatenation.js";
import { kernelsOf, type NetworkDeclaration } from "./declaration.js";
import { GridNorm } from "./grid-norm.js";
import type { Effort } from "./running-bound.js";
import { MatrixNorm, type SpectralNorm } from "./spectral-norm.js";

/** What a layer, or the pre-activation, applies after its linear map. */
interface Pointwise {
  readonly beta: Parameter | null;
  /** Its place among the slopes. */
  readonly firstSlope: number;
  /** The gradient of its parameter, and the place of that in the network's flat arrays. */
  readonly parameterBar: Matrix;
  readonly offset: number;
}

interface Layer {
  readonly rows: number;
  readonly columns: number;
  /** 9 for a convolution, whose weights are [row][tap][column], else 1. */
  readonly taps: number;
  /** Its place among the layers that are concatenated; the closing layer's is `depth`, the stem's null. */
  readonly index: number | null;
  /** Input rows of the bank: first row and number (= columns). */
  readonly firstInput: number;
  /** The group of the bank that each input column belongs to: 0 for x, l for the l-th activation. */
  readonly groups: Uint16Array;
  /** First row of the bank that the activation fills; the closing layer has none. */
  readonly firstOutput: number | null;
  /** First row of the matrix of pre-activations. */
  readonly firstPre: number;
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly norm: SpectralNorm;
  /** Its activation; stem and closing layer have none. */
  readonly pointwise: Pointwise | null;
  readonly effective: Matrix;
  readonly effectiveBias: Matrix;
  readonly effectiveBar: Matrix;
  readonly biasBar: Matrix;
  /** Offset of this layer in the network's flat arrays: weights, bias, activation parameter. */
  readonly offset: number;
  /** The norm that the weight is taken to have, and the factor min(1, coeff / sigma), as `prepare` last left them. */
  sigma: number;
  factor: number;
}

/** Memory for one evaluation of a network, its backward pass included, for up to `capacity` samples. */
export interface Workspace {
  readonly bank: Tensor;
  readonly pre: Tensor;
  readonly output: Tensor;
  readonly bankBar: Tensor;
  readonly preBar: Tensor;
  readonly outputBar: Tensor;
  /** Value lanes only: the second pass of the implicit gradient. */
  readonly preBar2: Tensor;
  readonly outputBar2: Tensor;
  /** f'(pre) of every activation. */
  readonly slopes: Tensor;
}

/** The matrices of one layer: forward, and for a backward pass the cotangents of the same. */
interface LayerViews {
  /** None for the pre-activation, which has no weights. */
  readonly layer: Layer | null;
  readonly pointwise: Pointwise | null;
  readonly input: Matrix;
  /** W h + b: the pre-activations, or the network's output for the closing layer; x for the pre-activation. */
  readonly pre: Matrix;
  /** act(W h + b), for the stem W h + b; the closing layer has none. */
  readonly out: Matrix | null;
  /** act'(W h + b) of the values, where there is an activation. */
  readonly slopes: Matrix | null;
}

/** The matrices of a workspace at one number of samples and tangents. */
export interface Views {
  /** Lanes of a segment: samples, times the places of a grid. */
  readonly batch: number;
  /** The jets of all features and of all pre-activations. */
  readonly bank: Matrix;
  readonly pre: Matrix;
  /** The input jet, which is the start of the bank, and the output jet. */
  readonly input: Matrix;
  readonly output: Matrix;
  readonly inputBar: Matrix;
  readonly outputBar: Matrix;
  readonly forward: readonly LayerViews[];
  /** Cotangents of jets, and in a second pass of values alone; last layer first. */
  readonly backward: readonly LayerViews[];
  readonly backwardValues: readonly LayerViews[];
  /** The value lanes of the cotangents of output and pre-activations, and what a second pass adds to them. */
  readonly outputBarValues: Matrix;
  readonly preBarValues: Matrix;
  readonly outputBar2: Matrix;
  readonly preBar2: Matrix;
}

/** The part of the distance to 1 that the declared limits leave which the bound on Lip(G) always keeps. */
const LEAST_MARGIN = 1 / 8;

/** The concatenation's factors (eta1, eta2) of each layer; none where nothing is concatenated. */
type Etas = readonly (readonly [number, number])[];

/** Rounds of power iteration before the first step. */
export const SETTLING_ROUNDS = 200;

/**
 * Numbers between the rows of images. Rows of 2^n bytes all fall on the same few places of a cache; a few numbers
 * more spread them, which makes convolutions up to twice as fast.
 */
export const ROW_GAP = 16;

/** How much smaller the closing layer starts than the others, unless it starts as they do. */
const NEAR_ZERO = { weight: 0.3, bias: 0 };

export class Network implements GradientSource {
  readonly dim: number;
  readonly declaration: NetworkDeclaration;
  readonly activation: Activation;
  /** The pixels of an image; null for vectors. */
  readonly grid: Grid | null;
  readonly gradientLength: number;
  readonly #engine: Engine;
  readonly #layers: Layer[] = [];
  readonly #preactivation: Pointwise | null;
  /** Rows of the bank before those that dense layers concatenate, and of x, of the stem or of act(x) among these. */
  readonly #start: number;
  readonly #features: number;
  readonly #kappa: Parameter | null;
  readonly #bankRows: number;
  readonly #preRows: number;
  readonly #flat: Float64Array;
  readonly #columnFactors: Float64Array;
  readonly #columnBars: Float64Array;
  readonly #weights: Tensor;
  readonly #gradients: Tensor;
  /** Whether what was prepared is certified. */
  #certain = false;

  /**
   * Weights and biases start uniform on +-1/sqrt(fan-in), but unless told otherwise the closing layer with small
   * weights and no bias: G starts near 0, every block near the identity, which trains faster than a random map to
   * begin with.
   * The spectral norms of matrices are settled at once; those of convolutions wait for `iterate`.
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
    const { depth, growth, kind, stem, preactivation } = declaration;
    const { outputs, learned } = this.activation;
    if (growth % outputs !== 0) {
      throw new FlowError(
        "usage",
        `${name}: growth ${growth} must be even: ${declaration.activation} has two outputs`,
      );
    }
    const kernels = kernelsOf(declaration);
    if (kernels.includes(3) && !grid) throw new FlowError("usage", `${name}: convolutions need images`);
    check(
      !preactivation || (kind === "multilayer" && !stem),
      "usage",
      `${name}: a pre-activation stands before layers that follow one another, without a stem`,
    );
    // The bank: the input, the stem's features or the input's activation, and each layer's.
    const start = stem || preactivation ? dim : 0;
    const features = stem ?? (preactivation ? outputs * dim : dim);
    this.#start = start;
    this.#features = features;
    const plans = Array.from({ length: depth + 1 }, (_, index) => {
      const closing = index === depth;
      const firstInput = kind === "dense" || index === 0 ? start : start + features + (index - 1) * growth;
      const end = start + features + index * growth;
      const taps = kernels[index] === 3 ? TAPS : 1;
      const rows = closing ? dim : growth / outputs;
      return {
        rows,
        columns: end - firstInput,
        taps,
        firstInput,
        end,
        closing,
        index: index as number | null,
      };
    });
    if (stem) {
      plans.unshift({
        rows: stem,
        columns: dim,
        taps: 1,
        firstInput: 0,
        end: dim,
        closing: false,
        index: null,
      });
    }
    const numbersOf = ({ rows, columns, taps }: (typeof plans)[number]) => rows * taps * columns + rows + 1;
    const size = plans.reduce((sum, plan) => sum + numbersOf(plan), preactivation ? 1 : 0);
    this.#weights = engine.tensor(size);
    this.#gradients = engine.tensor(size);
    this.#flat = new Float64Array(size);
    this.gradientLength = size;
    const widest = Math.max(...plans.map(({ columns }) => columns));
    this.#columnFactors = new Float64Array(widest);
    this.#columnBars = new Float64Array(widest);
    const closingScale = declaration.closingStart === "uniform" ? { weight: 1, bias: 1 } : NEAR_ZERO;
    const pointwise = (label: number | string, firstSlope: number, offset: number): Pointwise => ({
      beta: learned
        ? parameters.learned(`${name}.${learned.name}.${label}`, [1], Float64Array.of(learned.initial))
        : null,
      firstSlope,
      parameterBar: matrix(this.#gradients, 1, 1, offset),
      offset,
    });
    this.#preactivation = preactivation ? pointwise("input", depth * growth, size - 1) : null;
    let offset = 0;
    let firstPre = 0;
    plans.forEach(({ rows, columns, taps, firstInput, end, closing, index }, l) => {
      const fanIn = taps * columns;
      const uniform = (n: number, scale: number) =>
        Float64Array.from({ length: n }, () => (scale / Math.sqrt(fanIn)) * (2 * random.uniform() - 1));
      const weight = parameters.learned(
        `${name}.weight.${l}`,
        taps === 1 ? [rows, columns] : [rows, taps, columns],
        uniform(rows * fanIn, closing ? closingScale.weight : 1),
      );
      const bias = parameters.learned(
        `${name}.bias.${l}`,
        [rows],
        uniform(rows, closing ? closingScale.bias : 1),
      );
      const norm =
        taps === 1 || !grid
          ? new MatrixNorm(parameters, name, l, weight, random)
          : new GridNorm(engine, parameters, name, l, weight, grid, random);
      const numbers = rows * fanIn;
      const place = (tensor: Tensor) => ({
        matrix: matrix(tensor, rows, fanIn, offset),
        column: matrix(tensor, rows, 1, offset + numbers),
      });
      const value = place(this.#weights);
      const bar = place(this.#gradients);
      this.#layers.push({
        rows,
        columns,
        taps,
        index,
        firstInput,
        groups: Uint16Array.from({ length: columns }, (_, c) => {
          const row = firstInput + c - start;
          return index === null || row < features ? 0 : 1 + Math.floor((row - features) / growth);
        }),
        firstOutput: closing ? null : end,
        firstPre,
        weight,
        bias,
        norm,
        pointwise: closing || index === null ? null : pointwise(l, index * growth, offset + numbers + rows),
        effective: value.matrix,
        effectiveBias: value.column,
        effectiveBar: bar.matrix,
        biasBar: bar.column,
        offset,
        sigma: 0,
        factor: 1,
      });
      offset += numbers + rows + 1;
      if (!closing) firstPre += rows;
    });
    this.#kappa =
      kind === "dense" && depth > 0
        ? parameters.learned(`${name}.concatenation`, [depth, 2], new Float64Array(2 * depth).fill(1))
        : null;
    if (this.#kappa) this.#kappa.learnFrom = declaration.learnConcatenationFrom;
    this.#bankRows = start + features + depth * growth;
    this.#preRows = firstPre;
    for (const { norm } of this.#layers)
      if (norm instanceof MatrixNorm) void norm.iterate(SETTLING_ROUNDS, 0);
  }

  /** At most `rounds` rounds of power iteration on every weight; at once where all are matrices. */
  async iterate(rounds: number): Promise<void> {
    const tolerance = this.declaration.spectralTolerance ?? 0;
    for (const { norm } of this.#layers) {
      const pending = norm.iterate(rounds, tolerance);
      if (pending) await pending;
    }
  }

  #etas(): [number, number][] {
    const kappa = this.#kappa;
    if (!kappa) return [];
    return Array.from({ length: this.declaration.depth }, (_, l) =>
      concatenationFactors(kappa.values.subarray(2 * l, 2 * l + 2), this.declaration.lip),
    );
  }

  /** The concatenation's factor for every input column of a layer; valid until the next call. */
  #columnScales({ columns, groups, index }: Layer, scales: readonly number[][]): Float64Array {
    const out = this.#columnFactors;
    const own = this.#kappa && index !== null ? scales[index] : null;
    if (!own) return out.fill(1);
    for (let c = 0; c < columns; c++) out[c] = own[groups[c]];
    return out;
  }

  /**
   * Sends the normalised weights, the concatenation factors folded in, to the engine: each divided by what power iteration
   * has found of its norm, or, where these do not make G a contraction for certain, by certified bounds of the norms.
   * Of convolutions whose margin is wide power iteration is trusted until `makeCertain`; where the declaration limits by
   * estimates, always.
   */
  prepare(): void {
    const etas = this.#etas();
    for (const layer of this.#layers) this.#normalise(layer, layer.norm.sigma());
    this.#certain = this.declaration.limit === "estimated";
    if (!this.#certain && !this.#isContraction(etas, "known", "cheap", "certain")) this.#limitByBounds();
    this.#send(etas);
  }

  /** Certifies that G is a contraction as the engine holds it, once after every `prepare`; else makes it one. */
  makeCertain(): void {
    if (this.#certain) return;
    this.#certain = true;
    const etas = this.#etas();
    if (this.#isContraction(etas, "known", "certain")) return;
    this.#limitByBounds();
    this.#send(etas);
  }

  #normalise(layer: Layer, sigma: number): void {
    const { coeff } = this.declaration;
    layer.sigma = sigma;
    layer.factor = sigma > coeff ? coeff / sigma : 1;
  }

  #limitByBounds(): void {
    for (const layer of this.#layers) this.#normalise(layer, layer.norm.bound("certain"));
  }

  /** Whether bounds of one of these efforts leave a part of the distance to 1 that the declaration leaves. */
  #isContraction(etas: Etas, ...efforts: Effort[]): boolean {
    const declared = this.#product(etas, () => this.declaration.coeff);
    return efforts.some((effort) => 1 - this.#bound(etas, effort) >= LEAST_MARGIN * (1 - declared));
  }

  #send(etas: Etas): void {
    const scales = groupScales(etas);
    const flat = this.#flat;
    for (const layer of this.#layers) {
      const { rows, taps, columns, weight, bias, offset, factor } = layer;
      const { values } = weight;
      const columnScales = this.#columnScales(layer, scales);
      for (let c = 0; c < columns; c++) columnScales[c] *= factor;
      for (let r = 0, i = 0; r < rows * taps; r++) {
        for (let c = 0; c < columns; c++, i++) flat[offset + i] = columnScales[c] * values[i];
      }
      flat.set(bias.values, offset + values.length);
    }
    this.#engine.write(this.#weights, flat);
  }

  get #pointwiseMaps(): Pointwise[] {
    return [this.#preactivation, ...this.#layers.map((layer) => layer.pointwise)].filter((p) => p !== null);
  }

  async takeGradient(out: Float64Array): Promise<void> {
    await this.#engine.read(this.#gradients, out);
    this.#engine.fill(matrix(this.#gradients, 1, out.length), 0);
  }

  pullBack(bars: Float64Array): void {
    const etas = this.#etas();
    const scales = groupScales(etas);
    const scalesBar = scales.map((s) => s.map(() => 0));
    for (const layer of this.#layers) {
      const { rows, taps, columns, index, weight, bias, offset, factor, sigma } = layer;
      const { values, gradient } = weight;
      const columnScales = this.#columnScales(layer, scales);
      const columnBars = this.#columnBars.fill(0);
      for (let r = 0, i = 0; r < rows * taps; r++) {
        for (let c = 0; c < columns; c++, i++) {
          const bar = bars[offset + i];
          columnBars[c] += bar * values[i];
          gradient[i] += factor * columnScales[c] * bar;
        }
      }
      let along = 0; // <dLoss/d(W factor), W>
      const groupBars = this.#kappa && index !== null ? scalesBar[index] : null;
      for (let c = 0; c < columns; c++) {
        along += columnScales[c] * columnBars[c];
        if (groupBars) groupBars[layer.groups[c]] += factor * columnBars[c];
      }
      // d(coeff / sigma) = -(factor / sigma) dsigma.
      if (factor < 1) layer.norm.addGradient((-factor / sigma) * along);
      const end = offset + values.length;
      for (let r = 0; r < rows; r++) bias.gradient[r] += bars[end + r];
    }
    for (const { beta, offset } of this.#pointwiseMaps) {
      if (!beta) continue;
      const slope = this.activation.learned?.linkDerivative(beta.values[0]) ?? 0;
      beta.gradient[0] += slope * bars[offset];
    }
    const kappa = this.#kappa;
    if (kappa) {
      groupScalesBackward(etas, scales, scalesBar).forEach((etaBar, l) => {
        const pair = [2 * l, 2 * l + 2] as const;
        const { lip } = this.declaration;
        concatenationFactorsBackward(
          kappa.gradient.subarray(...pair),
          kappa.values.subarray(...pair),
          lip,
          etaBar,
        );
      });
    }
  }

  /**
   * Memory for up to `capacity` samples. Networks whose backward passes never overlap may share the part that those
   * use: `sharing` is the workspace of another network of the same declaration, at the same capacity.
   */
  workspace(capacity: number, tangents: number, sharing?: Workspace): Workspace {
    const batch = paddedLanes(this.#engine, capacity) * this.places;
    const lanes = batch * (1 + tangents);
    const tensor = (rows: number, width: number) => this.#engine.tensor(rows * this.#stride(width));
    return {
      bank: tensor(this.#bankRows, lanes),
      pre: tensor(this.#preRows, lanes),
      output: tensor(this.dim, lanes),
      bankBar: sharing?.bankBar ?? tensor(this.#bankRows, lanes),
      preBar: sharing?.preBar ?? tensor(this.#preRows, lanes),
      outputBar: sharing?.outputBar ?? tensor(this.dim, lanes),
      preBar2: sharing?.preBar2 ?? tensor(this.#preRows, batch),
      outputBar2: sharing?.outputBar2 ?? tensor(this.dim, batch),
      slopes: sharing?.slopes ?? tensor(this.#slopeRows, batch),
    };
  }

  /** Rows of activations. */
  get #slopeRows(): number {
    const { depth, growth } = this.declaration;
    return depth * growth + (this.#preactivation ? this.#features : 0);
  }

  /** Lanes that a sample takes. */
  get places(): number {
    return this.grid ? this.grid.height * this.grid.width : 1;
  }

  /** Numbers from one row to the next. */
  #stride(lanes: number): number {
    return this.grid ? lanes + ROW_GAP : lanes;
  }

  /** The matrices for so many samples: those of the capacity, or fewer. */
  views(workspace: Workspace, samples: number, tangents: number): Views {
    const batch = samples * this.places;
    const jet = batch * (1 + tangents);
    const whole = (tensor: Tensor, rows: number, lanes: number): Matrix => {
      return { tensor, offset: 0, rows, lanes, stride: this.#stride(lanes) };
    };
    const bankBar = whole(workspace.bankBar, this.#bankRows, jet);
    const preBar = whole(workspace.preBar, this.#preRows, jet);
    const preBar2 = whole(workspace.preBar2, this.#preRows, batch);
    const outputBar2 = whole(workspace.outputBar2, this.dim, batch);
    const output = whole(workspace.output, this.dim, jet);
    const outputBar = whole(workspace.outputBar, this.dim, jet);
    const slopes = whole(workspace.slopes, this.#slopeRows, batch);
    const bank = whole(workspace.bank, this.#bankRows, jet);
    const pre = whole(workspace.pre, this.#preRows, jet);
    const layers = (features: Matrix, hidden: Matrix, closing: Matrix): LayerViews[] => {
      const input = rowsOf(features, 0, this.dim);
      const activated = rowsOf(features, this.#start, this.#features);
      const first = this.#preactivation;
      return [
        ...(first
          ? [
              {
                layer: null,
                pointwise: first,
                input,
                pre: input,
                out: activated,
                slopes: rowsOf(slopes, first.firstSlope, this.#features),
              },
            ]
          : []),
        ...this.#layers.map((layer) => ({
          layer,
          pointwise: layer.pointwise,
          input: rowsOf(features, layer.firstInput, layer.columns),
          pre: layer.firstOutput === null ? closing : rowsOf(hidden, layer.firstPre, layer.rows),
          out: layer.firstOutput === null ? null : rowsOf(features, layer.firstOutput, this.#outputs(layer)),
          slopes: layer.pointwise
            ? rowsOf(slopes, layer.pointwise.firstSlope, this.declaration.growth)
            : null,
        })),
      ];
    };
    const values = (m: Matrix) => lanesOf(m, 0, batch);
    return {
      batch,
      bank,
      pre,
      input: rowsOf(bank, 0, this.dim),
      output,
      inputBar: rowsOf(bankBar, 0, this.dim),
      outputBar,
      forward: layers(bank, pre, output),
      backward: layers(bankBar, preBar, outputBar).reverse(),
      backwardValues: layers(values(bankBar), preBar2, outputBar2).reverse(),
      outputBarValues: values(outputBar),
      preBarValues: values(preBar),
      outputBar2,
      preBar2,
    };
  }

  /** Rows of the bank that a layer fills. */
  #outputs({ index, rows }: Layer): number {
    return index === null ? rows : this.declaration.growth;
  }

  #parameterOf({ beta }: Pointwise): number {
    return beta && this.activation.learned ? this.activation.learned.link(beta.values[0]) : 0;
  }

  /** views.output = jet of G at the jet in views.input. */
  evaluate(views: Views): void {
    const { batch } = views;
    for (const { layer, pointwise, input, pre, out } of views.forward) {
      if (layer) {
        const { effective, effectiveBias, taps } = layer;
        if (taps === 1) this.#engine.linear(pre, effective, input, effectiveBias, batch);
        else this.#engine.convolution(pre, effective, input, effectiveBias, this.#images(), batch);
      }
      if (!out) continue;
      if (pointwise) this.#engine.pointwise(this.activation, out, pre, batch, this.#parameterOf(pointwise));
      else this.#engine.combine(out, 1, pre);
    }
  }

  #images(): Grid {
    return this.grid as Grid;
  }

  /**
   * Cotangents of the jet in views.outputBar down to those of the pre-activations and of the input
   * (views.inputBar). Leaves the weights' gradients to `accumulate`.
   */
  backward(views: Views): void {
    this.#sweep(views, views.backward);
  }

  /**
   * A second backward pass, for cotangents of the values alone, on top of `backward`: adds to those of output and
   * pre-activations, and leaves its own cotangent of the input in the value lanes of views.inputBar.
   */
  backwardValues(views: Views, valueBar: Matrix): void {
    const { outputBarValues, outputBar2, preBarValues, preBar2 } = views;
    this.#engine.combine(outputBar2, 1, valueBar);
    this.#sweep(views, views.backwardValues);
    this.#engine.combine(outputBarValues, 1, outputBarValues, 1, outputBar2);
    this.#engine.combine(preBarValues, 1, preBarValues, 1, preBar2);
  }

  /**
   * A backward pass without `backward` before it, for cotangents of the values alone: leaves J^T valueBar in the
   * value lanes of views.inputBar, and adds the weights' gradients.
   */
  backwardValuesOnly(views: Views, valueBar: Matrix): void {
    this.#engine.combine(views.outputBar2, 1, valueBar);
    this.#sweep(views, views.backwardValues);
    this.#accumulate(views, views.backwardValues);
  }

  /** Keeps the slopes at the point of the last `evaluate`, for `transposedProduct`. */
  linearise(views: Views): void {
    for (const { pointwise, pre, slopes } of views.forward) {
      if (!slopes || !pointwise) continue;
      const values = lanesOf(pre, 0, views.batch);
      this.#engine.slopes(this.activation, slopes, values, this.#parameterOf(pointwise));
    }
  }

  /** J^T valueBar into the value lanes of views.inputBar, at the point of the last `linearise`; no gradients. */
  transposedProduct(views: Views, valueBar: Matrix): void {
    this.#engine.combine(views.outputBar2, 1, valueBar);
    this.#throughLayers(views, views.backwardValues, ({ pre, slopes }, out) => {
      this.#engine.applySlopes(pre, slopes as Matrix, out);
    });
  }

  /** From the cotangents of the output to those of the input, and the gradients of the activations' parameters. */
  #sweep(views: Views, pass: readonly LayerViews[]): void {
    const { forward, batch } = views;
    this.#throughLayers(views, pass, ({ pointwise, pre }, out, i) => {
      const own = pointwise as Pointwise;
      this.#engine.pointwiseBackward(
        this.activation,
        pre,
        out,
        forward[forward.length - 1 - i].pre,
        batch,
        this.#parameterOf(own),
        own.parameterBar,
      );
    });
  }

  /** The transposes of all layers, last one first; `throughActivation` takes the i-th from its `out` to `pre`. */
  #throughLayers(
    { batch }: Views,
    pass: readonly LayerViews[],
    throughActivation: (layer: LayerViews, out: Matrix, i: number) => void,
  ): void {
    pass.forEach((views, i) => {
      const { layer, pointwise, input, pre, out } = views;
      if (out && pointwise) throughActivation(views, out, i);
      else if (out) this.#engine.combine(pre, 1, out);
      if (!layer) return;
      // Rows of the bank that a later layer has reached already are added to; the closing layer comes first, and
      // the rows of a stem's input are its own.
      const fresh = !out || layer.index === null || this.declaration.kind === "multilayer";
      const { effective, taps } = layer;
      if (taps === 1) this.#engine.linearTransposed(input, effective, pre, !fresh);
      else this.#engine.convolutionTransposed(input, effective, pre, !fresh, this.#images(), batch);
    });
  }

  /** Adds the weights' gradients of the backward passes since `evaluate`. */
  accumulate(views: Views): void {
    this.#accumulate(views, views.backward);
  }

  #accumulate(views: Views, pass: readonly LayerViews[]): void {
    const { forward } = views;
    pass.forEach(({ layer, pre }, i) => {
      if (!layer) return;
      const { input } = forward[forward.length - 1 - i];
      if (layer.taps === 1) this.#engine.outer(layer.effectiveBar, pre, input);
      else this.#engine.convolutionOuter(layer.effectiveBar, pre, input, this.#images(), views.batch);
      this.#engine.rowSums(layer.biasBar, lanesOf(pre, 0, views.batch), null);
    });
  }

  /** The spectral norm of each layer's weight, before it is limited, as power iteration has found it. */
  spectralNorms(): number[] {
    return this.#layers.map(({ norm }) => norm.sigma());
  }

  /**
   * The norm that each layer's weight was last taken to have: it is divided by max(1, norm / coeff). Where certified bounds
   * do not take its place, it is that of `spectralNorms`.
   */
  limitingNorms(): number[] {
    return this.#layers.map(({ sigma }) => sigma);
  }

  /**
   * A certified upper bound on Lip(G): from the weights as the engine holds them (to its rounding), each bounded by
   * `SpectralNorm.bound`, and Lip([eta1 h, eta2 a]) <= |(eta1, eta2 Lip(act) |W|)| a layer. Infinity where a weight is not
   * finite. `tight` takes a hundred times as long for convolutions, and is the same for matrices.
   */
  lipschitzBound(effort: "certain" | "tight" = "certain"): number {
    const bound = this.#bound(this.#etas(), effort);
    return Number.isNaN(bound) ? Number.POSITIVE_INFINITY : bound;
  }

  #bound(etas: Etas, effort: Effort): number {
    const slack = 1 + 4 * this.#engine.epsilon;
    return this.#product(etas, ({ norm, factor }) => norm.bound(effort) * factor * slack);
  }

  /** The bound on Lip(G) from those on the norms of the normalised weights. */
  #product(etas: Etas, norm: (layer: Layer) => number): number {
    const { lipschitz } = this.activation;
    let bound = this.#preactivation ? lipschitz : 1;
    for (const layer of this.#layers) {
      const own = norm(layer) * (layer.pointwise ? lipschitz : 1);
      const eta = layer.index === null ? undefined : etas[layer.index];
      bound *= eta ? Math.hypot(eta[0], eta[1] * own) : own;
    }
    return bound;
  }
}

/**
 * Lipschitz networks on a bank of features (math.md, "Lipschitz networks"). Every network here is a list of
 * layers a_l = act(W_l h_l + b_l) and a closing linear layer; h_l is a stretch of the rows of one matrix that
 * starts with the input x and to which each a_l is appended. Dense concatenation reads all rows up to a_l,
 * a multilayer perceptron only the last a_l. Nothing is ever copied to concatenate.
 */
import type { Activation } from "../activations/activation.js";
import { activation } from "../activations/index.js";
import {
  type Engine,
  lanesOf,
  type Matrix,
  matrix,
  paddedLanes,
  rowsOf,
  type Tensor,
} from "../engine/engine.js";
import type { Parameter, Parameters } from "../engine/parameters.js";
import type { Random } from "../engine/random.js";
import { FlowError } from "../errors.js";
import {
  concatenationFactors,
  concatenationFactorsBackward,
  groupScales,
  groupScalesBackward,
} from "./concatenation.js";
import { bilinear, powerIteration, spectralNormBound } from "./spectral-norm.js";

/** The declaration of a Lipschitz network from R^dim to R^dim. */
export interface NetworkDeclaration {
  /** `dense` concatenates every layer's output to its input; `multilayer` feeds it forward. */
  readonly kind: "dense" | "multilayer";
  /** Number of layers before the closing linear one. */
  readonly depth: number;
  /** Channels that a layer adds (dense) or has (multilayer), after its activation. */
  readonly growth: number;
  readonly activation: string;
  /** Upper limit of every weight's spectral norm. */
  readonly coeff: number;
  /** Lipschitz constant of one concatenation (dense only). */
  readonly lip: number;
  /** Power iterations at every training step. */
  readonly powerIterations: number;
  /** The training step from which the concatenation is learned (dense only). */
  readonly learnConcatenationFrom: number;
}

interface Layer {
  readonly rows: number;
  readonly columns: number;
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
  readonly left: Parameter;
  readonly right: Parameter;
  readonly beta: Parameter | null;
  readonly effective: Matrix;
  readonly effectiveBias: Matrix;
  readonly effectiveBar: Matrix;
  readonly biasBar: Matrix;
  readonly parameterBar: Matrix;
  /** Offset of this layer in the network's flat arrays: weights, bias, activation parameter. */
  readonly offset: number;
  /** sigma, and the factor min(1, coeff / sigma), as `prepare` last left them. */
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
}

/** The matrices of one layer: forward, and for a backward pass the cotangents of the same. */
interface LayerViews {
  readonly layer: Layer;
  readonly input: Matrix;
  /** W h + b: the pre-activations, or the network's output for the closing layer. */
  readonly pre: Matrix;
  /** act(W h + b); the closing layer has none. */
  readonly out: Matrix | null;
}

/** The matrices of a workspace at one number of samples and tangents. */
export interface Views {
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

/** How much smaller the closing layer's weights start than the others'. */
const CLOSING_SCALE = 0.3;

export class Network {
  readonly dim: number;
  readonly declaration: NetworkDeclaration;
  readonly activation: Activation;
  readonly #engine: Engine;
  readonly #layers: Layer[] = [];
  readonly #kappa: Parameter | null;
  readonly #bankRows: number;
  readonly #preRows: number;
  readonly #flat: Float64Array;
  readonly #columnFactors: Float64Array;
  readonly #columnBars: Float64Array;
  readonly #weights: Tensor;
  readonly #gradients: Tensor;

  /**
   * Weights and biases start uniform on +-1/sqrt(fan-in), but the closing layer with small weights and no bias:
   * G starts near 0, every block near the identity, which trains faster than a random map to begin with.
   */
  constructor(
    engine: Engine,
    parameters: Parameters,
    name: string,
    dim: number,
    declaration: NetworkDeclaration,
    random: Random,
  ) {
    this.#engine = engine;
    this.dim = dim;
    this.declaration = declaration;
    this.activation = activation(declaration.activation);
    const { depth, growth, kind } = declaration;
    const { outputs, learned } = this.activation;
    if (growth % outputs !== 0) {
      throw new FlowError(
        "usage",
        `${name}: growth ${growth} must be even: ${declaration.activation} has two outputs`,
      );
    }
    const plans = Array.from({ length: depth + 1 }, (_, l) => {
      const closing = l === depth;
      const firstInput = kind === "dense" || l === 0 ? 0 : dim + (l - 1) * growth;
      const end = dim + l * growth;
      return { rows: closing ? dim : growth / outputs, columns: end - firstInput, firstInput, end, closing };
    });
    const size = plans.reduce((sum, { rows, columns }) => sum + rows * columns + rows + 1, 0);
    this.#weights = engine.tensor(size);
    this.#gradients = engine.tensor(size);
    this.#flat = new Float64Array(size);
    const widest = Math.max(...plans.map(({ columns }) => columns));
    this.#columnFactors = new Float64Array(widest);
    this.#columnBars = new Float64Array(widest);
    let offset = 0;
    plans.forEach(({ rows, columns, firstInput, end, closing }, l) => {
      const uniform = (n: number, scale: number) =>
        Float64Array.from({ length: n }, () => (scale / Math.sqrt(columns)) * (2 * random.uniform() - 1));
      const weight = parameters.learned(
        `${name}.weight.${l}`,
        [rows, columns],
        uniform(rows * columns, closing ? CLOSING_SCALE : 1),
      );
      const bias = parameters.learned(`${name}.bias.${l}`, [rows], uniform(rows, closing ? 0 : 1));
      const unit = (n: number) => Float64Array.from({ length: n }, () => random.normal());
      const left = parameters.state(`${name}.left.${l}`, [rows], unit(rows));
      const right = parameters.state(`${name}.right.${l}`, [columns], new Float64Array(columns));
      const beta =
        learned && !closing
          ? parameters.learned(`${name}.${learned.name}.${l}`, [1], Float64Array.of(learned.initial))
          : null;
      const place = (tensor: Tensor) => ({
        matrix: matrix(tensor, rows, columns, offset),
        column: matrix(tensor, rows, 1, offset + rows * columns),
        scalar: matrix(tensor, 1, 1, offset + rows * columns + rows),
      });
      const value = place(this.#weights);
      const bar = place(this.#gradients);
      this.#layers.push({
        rows,
        columns,
        firstInput,
        groups: Uint16Array.from({ length: columns }, (_, c) => {
          const row = firstInput + c;
          return row < dim ? 0 : 1 + Math.floor((row - dim) / growth);
        }),
        firstOutput: closing ? null : end,
        firstPre: l * (growth / outputs),
        weight,
        bias,
        left,
        right,
        beta,
        effective: value.matrix,
        effectiveBias: value.column,
        effectiveBar: bar.matrix,
        biasBar: bar.column,
        parameterBar: bar.scalar,
        offset,
        sigma: 0,
        factor: 1,
      });
      offset += rows * columns + rows + 1;
    });
    this.#kappa =
      kind === "dense" && depth > 0
        ? parameters.learned(`${name}.concatenation`, [depth, 2], new Float64Array(2 * depth).fill(1))
        : null;
    if (this.#kappa) this.#kappa.learnFrom = declaration.learnConcatenationFrom;
    this.#bankRows = dim + depth * growth;
    this.#preRows = depth * (growth / outputs);
    this.iterate(200);
  }

  /** `iterations` rounds of power iteration on every weight. */
  iterate(iterations: number): void {
    for (const { weight, rows, columns, left, right } of this.#layers) {
      powerIteration(weight.values, rows, columns, left.values, right.values, iterations);
    }
  }

  #etas(): [number, number][] {
    const kappa = this.#kappa;
    if (!kappa) return [];
    return this.#layers
      .slice(0, -1)
      .map((_, l) => concatenationFactors(kappa.values.subarray(2 * l, 2 * l + 2), this.declaration.lip));
  }

  /** The concatenation's factor for every input column of a layer; valid until the next call. */
  #columnScales({ columns, groups }: Layer, scales: readonly number[] | undefined): Float64Array {
    const out = this.#columnFactors;
    if (!this.#kappa || !scales) return out.fill(1);
    for (let c = 0; c < columns; c++) out[c] = scales[groups[c]];
    return out;
  }

  /** Sends the normalised weights, the concatenation factors folded in, to the engine, and clears its gradients. */
  prepare(): void {
    const scales = groupScales(this.#etas());
    const flat = this.#flat;
    const { coeff } = this.declaration;
    this.#layers.forEach((layer, l) => {
      const { rows, columns, weight, bias, offset } = layer;
      layer.sigma = bilinear(weight.values, layer.left.values, layer.right.values);
      // Vectors that are out of date can even make sigma negative: no limit binds then.
      layer.factor = layer.sigma > coeff ? coeff / layer.sigma : 1;
      const { factor } = layer;
      const { values } = weight;
      const columnScales = this.#columnScales(layer, scales[l]);
      for (let c = 0; c < columns; c++) columnScales[c] *= factor;
      for (let r = 0, i = 0; r < rows; r++) {
        for (let c = 0; c < columns; c++, i++) flat[offset + i] = columnScales[c] * values[i];
      }
      flat.set(bias.values, offset + rows * columns);
    });
    this.#engine.write(this.#weights, flat);
    this.#engine.fill(matrix(this.#gradients, 1, flat.length), 0);
  }

  /** Adds the gradients that backward passes have left on the engine to those of the parameters. */
  async collectGradient(): Promise<void> {
    const flat = this.#flat;
    await this.#engine.read(this.#gradients, flat);
    const etas = this.#etas();
    const scales = groupScales(etas);
    const scalesBar = scales.map((s) => s.map(() => 0));
    this.#layers.forEach((layer, l) => {
      const { rows, columns, weight, bias, offset, factor, sigma } = layer;
      const { values, gradient } = weight;
      const columnScales = this.#columnScales(layer, scales[l]);
      const columnBars = this.#columnBars.fill(0);
      for (let r = 0, i = 0; r < rows; r++) {
        for (let c = 0; c < columns; c++, i++) {
          const bar = flat[offset + i];
          columnBars[c] += bar * values[i];
          gradient[i] += factor * columnScales[c] * bar;
        }
      }
      let along = 0; // <dLoss/d(W factor), W>
      const groupBars = scalesBar[l];
      for (let c = 0; c < columns; c++) {
        along += columnScales[c] * columnBars[c];
        if (groupBars) groupBars[layer.groups[c]] += factor * columnBars[c];
      }
      if (factor < 1) {
        // d(coeff / sigma) = -(factor / sigma) dsigma, dsigma = u^T dW v.
        const sigmaBar = (-factor / sigma) * along;
        const [left, right] = [layer.left.values, layer.right.values];
        for (let r = 0, i = 0; r < rows; r++) {
          const rowBar = sigmaBar * left[r];
          for (let c = 0; c < columns; c++, i++) gradient[i] += rowBar * right[c];
        }
      }
      for (let r = 0; r < rows; r++) bias.gradient[r] += flat[offset + rows * columns + r];
      if (layer.beta) {
        const slope = this.activation.learned?.linkDerivative(layer.beta.values[0]) ?? 0;
        layer.beta.gradient[0] += slope * flat[offset + rows * columns + rows];
      }
    });
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
    const batch = paddedLanes(this.#engine, capacity);
    const lanes = batch * (1 + tangents);
    const tensor = (rows: number, width: number) => this.#engine.tensor(rows * width);
    return {
      bank: tensor(this.#bankRows, lanes),
      pre: tensor(this.#preRows, lanes),
      output: tensor(this.dim, lanes),
      bankBar: sharing?.bankBar ?? tensor(this.#bankRows, lanes),
      preBar: sharing?.preBar ?? tensor(this.#preRows, lanes),
      outputBar: sharing?.outputBar ?? tensor(this.dim, lanes),
      preBar2: sharing?.preBar2 ?? tensor(this.#preRows, batch),
      outputBar2: sharing?.outputBar2 ?? tensor(this.dim, batch),
    };
  }

  views(workspace: Workspace, batch: number, tangents: number): Views {
    const lanes = batch * (1 + tangents);
    const bankBar = matrix(workspace.bankBar, this.#bankRows, lanes);
    const preBar = matrix(workspace.preBar, this.#preRows, lanes);
    const preBar2 = matrix(workspace.preBar2, this.#preRows, batch);
    const outputBar2 = matrix(workspace.outputBar2, this.dim, batch);
    const output = matrix(workspace.output, this.dim, lanes);
    const outputBar = matrix(workspace.outputBar, this.dim, lanes);
    const bank = matrix(workspace.bank, this.#bankRows, lanes);
    const pre = matrix(workspace.pre, this.#preRows, lanes);
    const layers = (features: Matrix, hidden: Matrix, closing: Matrix): LayerViews[] =>
      this.#layers.map((layer) => ({
        layer,
        input: rowsOf(features, layer.firstInput, layer.columns),
        pre: layer.firstOutput === null ? closing : rowsOf(hidden, layer.firstPre, layer.rows),
        out: layer.firstOutput === null ? null : rowsOf(features, layer.firstOutput, this.declaration.growth),
      }));
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

  #parameterOf(layer: Layer): number {
    return layer.beta && this.activation.learned ? this.activation.learned.link(layer.beta.values[0]) : 0;
  }

  /** views.output = jet of G at the jet in views.input. */
  evaluate(views: Views): void {
    for (const { layer, input, pre, out } of views.forward) {
      this.#engine.linear(pre, layer.effective, input, layer.effectiveBias, views.batch);
      if (out) this.#engine.pointwise(this.activation, out, pre, views.batch, this.#parameterOf(layer));
    }
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

  #sweep(views: Views, pass: readonly LayerViews[]): void {
    const { forward, batch } = views;
    pass.forEach(({ layer, input, pre, out }, i) => {
      if (out) {
        this.#engine.pointwiseBackward(
          this.activation,
          pre,
          out,
          forward[forward.length - 1 - i].pre,
          batch,
          this.#parameterOf(layer),
          layer.parameterBar,
        );
      }
      // Rows of the bank that a later layer has reached already are added to; the closing layer comes first.
      const fresh = !out || this.declaration.kind === "multilayer";
      this.#engine.linearTransposed(input, layer.effective, pre, !fresh);
    });
  }

  /** Adds the weights' gradients of the backward passes since `evaluate`. */
  accumulate(views: Views): void {
    this.#accumulate(views, views.backward);
  }

  #accumulate(views: Views, pass: readonly LayerViews[]): void {
    const { forward } = views;
    pass.forEach(({ layer, pre }, i) => {
      this.#engine.outer(layer.effectiveBar, pre, forward[forward.length - 1 - i].input);
      this.#engine.rowSums(layer.biasBar, lanesOf(pre, 0, views.batch), null);
    });
  }

  /**
   * A certified upper bound on Lip(G): from the weights as the engine holds them (to its rounding), each
   * bounded by `spectralNormBound`, and Lip([eta1 h, eta2 a]) <= |(eta1, eta2 Lip(act) |W|)| a layer.
   */
  lipschitzBound(): number {
    const etas = this.#etas();
    const slack = 1 + 4 * this.#engine.epsilon;
    let bound = 1;
    this.#layers.forEach((layer, l) => {
      const { weight, rows, columns } = layer;
      const norm = spectralNormBound(weight.values, rows, columns) * layer.factor * slack;
      const slope = layer.firstOutput === null ? norm : norm * this.activation.lipschitz;
      bound *= this.#kappa && l < etas.length ? Math.hypot(etas[l][0], etas[l][1] * slope) : slope;
    });
    return bound;
  }
}

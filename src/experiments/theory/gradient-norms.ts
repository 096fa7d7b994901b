/** Norms |J(x)^T u| of the gradient of a random direction u of the output, through random normalised networks. */
import { matrix } from "../../engine/engine.js";
import { ReferenceEngine } from "../../engine/reference/engine.js";
import { type Parameter, Parameters } from "../../model/parameters.js";
import { Purpose, Random } from "../../model/random.js";
import type { NetworkDeclaration } from "../../networks/declaration.js";
import { LipschitzNetwork } from "../../networks/lipschitz-network.js";

export const networkKinds = ["multilayer", "dense"] as const;
/** `orthonormal`: all singular values alike. `normal`: independent normal entries. */
export const weightLaws = ["orthonormal", "normal"] as const;
export type WeightLaw = (typeof weightLaws)[number];

export interface GradientNormOptions {
  readonly kind: NetworkDeclaration["kind"];
  readonly depth: number;
  readonly law: WeightLaw;
  readonly activation: string;
  readonly seed: number;
  /** Number of random networks, and of normal inputs to each. */
  readonly networks: number;
  readonly inputsOfEach: number;
}

export interface GradientNorms extends Pick<GradientNormOptions, "kind" | "depth" | "law" | "activation"> {
  readonly norms: readonly number[];
  /** The certified bound on the Lipschitz constant of the network of each norm. */
  readonly certified: readonly number[];
}

const DIM = 8;
const WIDTH = 16;
/** Of every weight, and of every concatenation: near 1, so that what is lost is not lost there. */
const NORM = 0.999;
/** Rounds of power iteration on each network's weights. */
const ROUNDS = 100;

/** The norms for one kind of network; the same seed gives the same weights, inputs and directions to every activation. */
export async function gradientNorms(options: GradientNormOptions): Promise<GradientNorms> {
  const { kind, depth, law, activation, seed, networks, inputsOfEach } = options;
  const engine = new ReferenceEngine();
  const parameters = new Parameters();
  const random = new Random(seed, Purpose.probe, depth);
  const network = new LipschitzNetwork(
    engine,
    parameters,
    "g",
    DIM,
    {
      kind,
      depth,
      growth: WIDTH,
      activation,
      coeff: NORM,
      lip: NORM,
      powerIterations: 1,
      learnConcatenationFrom: 0,
    },
    random,
  );
  parameters.seal();
  const views = network.views(network.workspace(inputsOfEach, 0), inputsOfEach, 0);
  const size = DIM * inputsOfEach;
  const staging = new Float64Array(size);
  const input = matrix(engine.tensor(size), DIM, inputsOfEach);
  const fill = () => {
    for (let i = 0; i < size; i++) staging[i] = random.normal();
    engine.write(input.tensor, staging);
  };
  const norms: number[] = [];
  const certified: number[] = [];
  for (let n = 0; n < networks; n++) {
    random.seek(depth, 1 + n);
    for (const parameter of parameters.list) if (/weight/.test(parameter.name)) draw(parameter, law, random);
    void network.iterate(ROUNDS); // Matrices: at once.
    network.prepare();
    fill();
    engine.combine(views.input, 1, input);
    network.evaluate(views);
    fill();
    engine.combine(views.outputBar, 1, input);
    const lengths = columnNorms(staging, inputsOfEach);
    network.backward(views);
    engine.combine(input, 1, views.inputBar);
    await engine.read(input.tensor, staging);
    norms.push(...columnNorms(staging, inputsOfEach).map((norm, i) => norm / lengths[i]));
    certified.push(...lengths.fill(network.lipschitzBound()));
  }
  return { kind, depth, law, activation, norms, certified };
}

/** Lengths of the columns of a DIM x count matrix. */
const columnNorms = (values: Float64Array, count: number) =>
  Array.from({ length: count }, (_, i) =>
    Math.hypot(...Array.from({ length: DIM }, (_, j) => values[j * count + i])),
  );

/** A weight large enough that its limit binds. */
function draw({ shape, values }: Parameter, law: WeightLaw, random: Random): void {
  const [rows, columns] = shape;
  for (let i = 0; i < values.length; i++) values[i] = 2 * random.normal();
  if (law === "orthonormal") orthonormalise(values, rows, columns);
}

/** Makes the rows of a matrix with no more rows than columns orthogonal and of length 2 (Gram and Schmidt). */
function orthonormalise(values: Float64Array, rows: number, columns: number): void {
  const row = (r: number) => values.subarray(r * columns, (r + 1) * columns);
  const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, x, i) => sum + x * b[i], 0);
  for (let r = 0; r < rows; r++) {
    const own = row(r);
    for (let s = 0; s < r; s++) {
      const share = dot(own, row(s)) / 4;
      row(s).forEach((x, i) => {
        own[i] -= share * x;
      });
    }
    const scale = 2 / Math.sqrt(dot(own, own));
    own.forEach((x, i) => {
      own[i] = scale * x;
    });
  }
}

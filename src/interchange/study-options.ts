/** What the options of the studies' training programs say of a model, and which of them have no counterpart here. */
import { check } from "../errors.js";
import type { FlowDeclaration } from "../flows/declaration.js";
import type { Estimator } from "../logdet/estimator.js";
import type { Options } from "./checkpoint.js";
import { ACTIVATIONS, type NetworkSettings } from "./study-network.js";

/** The repositories whose models are known here. */
export const STUDIES = ["mlvlab", "residual-flows", "implicit"] as const;
/** A study whose PyTorch code has checkpoints: Monotone Flows (`mlvlab`), Residual Flows, Implicit Flows. */
export type Study = (typeof STUDIES)[number];

/** How the training programs read the pixels of a data set: the logit's alpha, the levels, and the side if it is fixed. */
const IMAGES: Readonly<Record<string, { channels: number; alpha: number; levels?: number; side?: number }>> =
  {
    mnist: { channels: 1, alpha: 1e-6 },
    cifar10: { channels: 3, alpha: 0.05 },
    svhn: { channels: 3, alpha: 0.05 },
    celebahq: { channels: 3, alpha: 0.05, side: 256 },
    celeba_5bit: { channels: 3, alpha: 0.05, side: 64, levels: 32 },
    imagenet32: { channels: 3, alpha: 0.05, side: 32 },
    imagenet64: { channels: 3, alpha: 0.05, side: 64 },
  };

/** Options with which a model is another one than any that can be declared here, and why. */
const WITHOUT_COUNTERPART: readonly [string, (value: unknown, options: Options) => boolean, string][] = [
  ["arch", (v) => v === "realnvp", "coupling layers are not known here"],
  ["block", (v) => v === "coupling", "coupling layers are not known here"],
  [
    "vnorms",
    (v, o) => usesNorms(o) && !/^2+$/.test(String(v)),
    "only spectral norms are known here: domains and codomains of 2",
  ],
  ["learn_p", (v) => v === true, "learned orders of induced norms are not known here"],
  ["batchnorm", (v) => v === true, "moving batch normalisation is not known here"],
  ["quadratic", (v) => v === true, "invertible linear layers are not known here"],
  ["dropout", (v) => typeof v === "number" && v > 0, "dropout is not known here"],
  ["fc", (v) => v === true, "fully connected blocks between convolutions are not known here"],
  ["fc_actnorm", (v) => v === true, "actnorms of single pixels before the last scale are not known here"],
  ["padding", (v) => typeof v === "number" && v > 0, "padded channels are not known here"],
  ["task", (v) => v === "classification" || v === "hybrid", "classifiers are not known here"],
  [
    "var_deq",
    (v) => v === true,
    "the study's variational dequantization is another one than that known here",
  ],
  ["logit_transform", (v) => v === false, "flows of images start with the logit here"],
  [
    "act",
    (v) => !Object.hasOwn(ACTIVATIONS, String(v)),
    `it is not known here; known are ${Object.keys(ACTIVATIONS).join(", ")}`,
  ],
];

/** Dense networks on vectors have spectral norms whatever the option says. */
const usesNorms = ({ densenet, imagesize }: Options) => densenet !== true || imagesize !== undefined;

/** The options that stand in the way of an import, each in a phrase. */
export function obstacles(options: Options): string[] {
  return WITHOUT_COUNTERPART.filter(
    ([name, stands]) => name in options && stands(options[name], options),
  ).map(([name, , why]) => `${name} ${options[name]}: ${why}`);
}

type PixelImage = NonNullable<FlowDeclaration["image"]>;

/** The options of a checkpoint, each asked for by its name. */
export class StudyOptions {
  readonly options: Options;
  readonly #where: string;

  constructor(options: Options, where: string) {
    this.options = options;
    this.#where = where;
  }

  #need<T extends string | number | boolean>(name: string, type: string): T {
    const value = this.options[name];
    check(
      typeof value === type,
      "input",
      `${this.#where}: the option ${name} of the training program is needed, a ${type}: {"${name}": ...}`,
      { option: "options" },
    );
    return value as T;
  }

  #flag(name: string): boolean {
    return this.options[name] === true;
  }

  get monotone(): boolean {
    return this.#flag("monotone_resolvent");
  }

  get squeezeFirst(): boolean {
    return this.#flag("squeeze_first");
  }

  get factorOut(): boolean {
    return this.#flag("factor_out");
  }

  /** What the networks' tensors do not say. */
  network(): NetworkSettings {
    const { options } = this;
    const coeff = this.#need<number>("coeff", "number");
    const lip = typeof options.lip_coeff === "number" ? options.lip_coeff : 0.98;
    check(
      coeff > 0 && coeff < 1 && lip > 0 && lip < 1,
      "input",
      `${this.#where}: coeff ${coeff} and lip_coeff ${lip} must be below 1, or blocks are not invertible`,
    );
    const act = this.#need<string>("act", "string");
    const rounds = options.n_lipschitz_iters;
    const tolerance = options.sn_tol ?? options.atol;
    return {
      activation: ACTIVATIONS[act],
      coeff,
      lip,
      // The studies' own limit, where the tolerance alone is given.
      powerIterations: typeof rounds === "number" ? rounds : 200,
      ...(typeof rounds !== "number" && typeof tolerance === "number"
        ? { spectralTolerance: tolerance }
        : {}),
      limit: "estimated",
      learnConcatenationFrom: options.learnable_concat === false ? Number.MAX_SAFE_INTEGER : 0,
    };
  }

  /** As the data set's name says, or as options say that the programs do not have. */
  image(): PixelImage {
    const data = this.#need<string>("data", "string");
    const set = Object.hasOwn(IMAGES, data) ? IMAGES[data] : undefined;
    const known = Object.keys(IMAGES).join(", ");
    check(set !== undefined, "input", `${this.#where}: the images ${data} are not known; known are ${known}`);
    const side = set.side ?? this.#need<number>("imagesize", "number");
    const bits = this.options.nbits;
    const levels = set.levels ?? (data === "celebahq" && typeof bits === "number" ? 2 ** bits : 256);
    const own = (name: string, otherwise: number) => {
      const value = this.options[name];
      return typeof value === "number" ? value : otherwise;
    };
    return {
      channels: own("channels", set.channels),
      height: side,
      width: side,
      levels: own("levels", levels),
      alpha: own("logit_alpha", set.alpha),
    };
  }

  /** The study's estimator of log-determinants; implicit flows have probes of +-1, the others normal ones. */
  estimator(study: Study): Estimator {
    const { n_dist: law, n_exact_terms: terms } = this.options;
    return {
      ...(law === "geometric" ? { law, rate: 0.5 } : { law: "poisson", rate: 2 }),
      exactTerms: typeof terms === "number" ? terms : 2,
      exactTermsInEvaluation: 20,
      probe: study === "implicit" ? "rademacher" : "normal",
      probes: 1,
      tolerance: 1e-5,
    };
  }
}

/** The options that say the same of images; where no data set is read so, with `channels`, `levels` and `logit_alpha`. */
export function imageOptions({ channels, height, width, levels, alpha }: PixelImage): Options {
  check(height === width, "usage", `the studies' images are square, not ${width} x ${height}`);
  const sets = Object.entries(IMAGES).filter(
    ([, set]) => set.channels === channels && (set.side ?? height) === height,
  );
  const same = sets.find(([, set]) => set.alpha === alpha && (set.levels ?? 256) === levels);
  if (same) return { data: same[0], imagesize: height, nbits: 8 };
  const data = channels === 1 ? "mnist" : "cifar10";
  return { data, imagesize: height, nbits: 8, channels, levels, logit_alpha: alpha };
}

/** The settings of the page "Train live"; the defaults are those of the paper's 2-D experiment. */

import { effect } from "@preact/signals";
import { addressSettings, choice, flag, number } from "../../browser/settings.js";
import { type FlowDeclaration, type Formulation, monotoneFlow, presets } from "../../library.js";
import { type Data, DRAWING, FILE, toyNames } from "../../models/data.js";
import { tablesTaken } from "../../models/incoming.js";

const { flow, training } = presets.monotone;

export const ACTIVATIONS = ["CPila", "CLipSwish", "CReLU", "ReLU", "ELU", "tanh"] as const;
export const FORMULATIONS = ["monotone", "residual", "inverse-residual"] as const;
export const cores = navigator.hardwareConcurrency || 1;
/** More threads than these gain nothing with batches of the usual size. */
const USEFUL_THREADS = 8;

const count = (initial: number, max: number, min = 1) => number(initial, { min, max, whole: true });

export const settings = addressSettings("train", {
  data: choice("2spirals", [...toyNames, DRAWING, FILE]),
  compare: flag(false),
  formulation: choice<Formulation>("monotone", FORMULATIONS),
  activation: choice("CPila", ACTIVATIONS),
  blocks: count(flow.blocks ?? 10, 40),
  depth: count(flow.depth ?? 3, 8),
  growth: count(flow.growth ?? 16, 128),
  coeff: number(flow.coeff ?? 0.9, { min: 0.05, max: 0.999 }),
  lip: number(flow.lip ?? 0.98, { min: 0.05, max: 0.999 }),
  actnorm: flag(false),
  rate: number(training.learningRate, { min: 1e-6, max: 1 }),
  batch: count(training.batch, 20_000, 10),
  l2: number(training.l2, { min: 0, max: 1 }),
  steps: count(5_000, 1_000_000),
  threads: count(crossOriginIsolated ? Math.min(cores, USEFUL_THREADS) : 1, 64),
  seed: count(0, 2 ** 31, 0),
});

effect(() => {
  if (tablesTaken.value > 0) settings.data.value = FILE;
});

/** A model that is trained: alone, or one of the two that are compared. */
export interface Variant {
  readonly title: string;
  readonly formulation: Formulation;
  readonly activation: string;
  /** The preset of the command line that has the same blocks. */
  readonly series: 1 | 2;
}

export function variants(): Variant[] {
  if (settings.compare.value) {
    return [
      { title: "Residual", formulation: "residual", activation: "CLipSwish", series: 2 },
      { title: "Monotone", formulation: "monotone", activation: "CPila", series: 1 },
    ];
  }
  const formulation = settings.formulation.value;
  const title = { monotone: "Monotone", residual: "Residual", "inverse-residual": "Inverse residual" }[
    formulation
  ];
  return [{ title, formulation, activation: settings.activation.value, series: 1 }];
}

export function declarationOf({ formulation, activation }: Variant, data: Data): FlowDeclaration {
  return monotoneFlow({ ...flowOptions(formulation, activation), dim: 2, ...standardised(data) });
}

const standardised = ({ standardisation }: Data) => (standardisation ? { standardisation } : {});

export function flowOptions(formulation: Formulation, activation: string) {
  const { blocks, depth, growth, coeff, lip, actnorm } = settings;
  return {
    blocks: blocks.value,
    formulation,
    activation,
    depth: depth.value,
    growth: growth.value,
    coeff: coeff.value,
    lip: lip.value,
    actnorm: actnorm.value,
  };
}

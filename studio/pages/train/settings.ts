/** The settings of the page "Train live"; the defaults are those of the paper's 2-D experiment. */

import { effect } from "@preact/signals";
import { addressSettings, choice, flag, number } from "../../browser/settings.js";
import {
  defaultSteps,
  type FlowDeclaration,
  type Formulation,
  fitSchema,
  flowSchema,
  monotoneFlow,
  presets,
} from "../../library.js";
import { type Data, DRAWING, FILE, toyNames } from "../../models/data.js";
import { tablesTaken } from "../../models/incoming.js";
import { choicesOf, optionSetting } from "../../models/option-setting.js";

const { flow, training } = presets.monotone;

const model = flowSchema.shape;
export const ACTIVATIONS = choicesOf(model.activation);
export const FORMULATIONS = choicesOf(model.formulation);
export const cores = navigator.hardwareConcurrency || 1;
/** More threads than these gain nothing with batches of the usual size. */
const USEFUL_THREADS = 8;

const { learningRate, batch, l2, steps, seed } = fitSchema.shape;
const threadLimits = { min: 1, max: crossOriginIsolated ? Math.max(cores, USEFUL_THREADS) : 1, step: 1 };

export const settings = addressSettings("train", {
  data: choice("2spirals", [...toyNames, DRAWING, FILE]),
  compare: flag(false),
  formulation: choice<Formulation>("monotone", FORMULATIONS),
  activation: choice("CPila", ACTIVATIONS),
  blocks: optionSetting(model.blocks, flow.blocks),
  depth: optionSetting(model.depth, flow.depth),
  growth: optionSetting(model.growth, flow.growth),
  coeff: optionSetting(model.coeff, flow.coeff),
  lip: optionSetting(model.lip, flow.lip),
  actnorm: flag(false),
  rate: optionSetting(learningRate, training.learningRate),
  batch: optionSetting(batch, training.batch),
  l2: optionSetting(l2, training.l2),
  steps: optionSetting(steps, defaultSteps),
  threads: number(crossOriginIsolated ? Math.min(cores, USEFUL_THREADS) : 1, threadLimits),
  seed: optionSetting(seed, 0),
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

/**
 * Several trainings of every model, which differ in their seed alone: weights, batches and test samples are drawn anew.
 * The experiments are those of `reproduce 2d`, `images` and `1d`, at lengths at which three seeds can be had.
 */
import { toyDensities } from "../../data/toy/index.js";
import type { RunConfig } from "../../runs/run.js";
import { FEWEST_SEEDS } from "../estimate.js";
import * as images from "../images/protocol.js";
import * as planar from "../planar/protocol.js";
import { configOf as staircaseConfig } from "../staircase/config.js";
import * as staircase from "../staircase/protocol.js";

export interface Protocol {
  /** Of the 50,000 steps of the 2-D experiment: a tenth. */
  readonly planarSteps: number;
  readonly planarData: readonly string[];
  readonly digitSteps: number;
  readonly staircase: staircase.Protocol;
}

export const full: Protocol = {
  planarSteps: planar.full.steps / 10,
  planarData: toyDensities.map(({ name }) => name),
  digitSteps: images.presetOf(images.digits).steps,
  staircase: staircase.quick,
};

export const quick: Protocol = {
  planarSteps: 1_000,
  planarData: ["2spirals", "moons"],
  digitSteps: 150,
  staircase: shortened(staircase.quick, 1_000),
};

/** The same in fewer steps, its schedule in proportion. */
function shortened({ training, ...rest }: staircase.Protocol, steps: number): staircase.Protocol {
  const schedule = training.schedule?.map(({ from, factor }) => ({
    from: Math.round((from * steps) / training.steps),
    factor,
  }));
  return { ...rest, training: { ...training, steps, schedule } };
}

/** The training seeds: the one that was asked for, and those after it. */
export const seedsFrom = (seed: number) => Array.from({ length: FEWEST_SEEDS }, (_, i) => seed + i);

/** A model on some data, trained once for each seed. */
export interface Entry {
  /** Of the folders of its runs, before the seed. */
  readonly name: string;
  readonly group: "2-D" | "digits" | "1-D";
  readonly data: string;
  readonly model: string;
  config(seed: number): Promise<RunConfig>;
}

export function entriesOf(protocol: Protocol): Entry[] {
  const shape = { ...planar.full, steps: protocol.planarSteps };
  const planarEntries = protocol.planarData.flatMap((data) =>
    [planar.iDenseNet, planar.monotoneFlows].map((model): Entry => {
      const cell: planar.Cell = { data, model, recipe: "original" };
      return {
        name: planar.nameOf(cell),
        group: "2-D",
        data,
        model: planar.titleOf(model),
        config: async (seed) => planar.configOf(cell, shape, seed),
      };
    }),
  );
  const task: images.ImageTask = { ...images.digits, steps: protocol.digitSteps };
  const digitEntries = images.models.map(
    (model): Entry => ({
      name: images.nameOf(task, model),
      group: "digits",
      data: "digits",
      model: images.titleOf(model),
      config: async (seed) =>
        images.configOf(task, model, await images.imagesOf(task, undefined, seed), seed),
    }),
  );
  const staircaseEntries = staircase.variants.map(
    (variant): Entry => ({
      name: `staircase-${variant.name}`,
      group: "1-D",
      data: "staircase",
      model: variant.title,
      config: async (seed) => staircaseConfig(variant, protocol.staircase, seed),
    }),
  );
  return [...planarEntries, ...digitEntries, ...staircaseEntries];
}

export const runName = ({ name }: Pick<Entry, "name">, seed: number) => `${name}-seed-${seed}`;

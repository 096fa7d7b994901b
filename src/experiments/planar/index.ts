/** `reproduce 2d`: i-DenseNet against Monotone Flow on eight planar densities, and what each change brings. */
import { join } from "node:path";
import { improvedTraining, planar } from "../../presets/presets.js";
import type { Item, Report, Section } from "../../reports/report.js";
import { isClear } from "../estimate.js";
import type { Reproduction } from "../reproduction.js";
import { trainRuns } from "../train-runs.js";
import { learnedPicture, lossesPicture, overviewPicture, transportPicture } from "./pictures.js";
import {
  type Cell,
  cellsOf,
  configOf,
  full,
  iDenseNet,
  monotoneFlows,
  nameOf,
  networkOf,
  type Protocol,
  quick,
  type Recipe,
  titleOf,
} from "./protocol.js";
import { advantage, type Result, resultOf } from "./results.js";
import {
  ablationInWords,
  ablationTable,
  comparisonTable,
  gapClaim,
  lowerClaim,
  mean,
  modelTable,
  type Pair,
  recipeTable,
} from "./tables.js";

export const reproduction: Reproduction = {
  name: "2d",
  description: "2-D density modelling, i-DenseNet against Monotone Flow, and the ablation",

  settings(options) {
    const protocol = options.quick ? quick : full;
    const runs = cellsOf(protocol).map(nameOf);
    return {
      ...options,
      ...protocol,
      network: networkOf(protocol),
      training: { original: planar.training, improved: improvedTraining(protocol.steps) },
      runs,
    };
  },

  async run({ folder, quick: isQuick, seed, threads, progress }): Promise<Report> {
    const protocol = isQuick ? quick : full;
    const cells = cellsOf(protocol);
    const pathOf = (cell: Cell) => join(folder, "runs", nameOf(cell));
    const planned = cells.map((cell) => ({ path: pathOf(cell), config: configOf(cell, protocol, seed) }));
    await trainRuns(planned, threads, progress);
    progress("drawing pictures");
    const results: Result[] = [];
    for (const cell of cells) results.push(await resultOf(cell, pathOf(cell)));
    return reportOf(protocol, results, isQuick);
  },
};

async function reportOf(protocol: Protocol, results: readonly Result[], isQuick: boolean): Promise<Report> {
  const resultFor = (cell: Cell) => results.find((result) => nameOf(result.cell) === nameOf(cell)) as Result;
  const pairsOf = (names: readonly string[], recipe: Recipe): Pair[] =>
    names.map((data) => ({
      data,
      baseline: resultFor({ data, model: iDenseNet, recipe }),
      monotone: resultFor({ data, model: monotoneFlows, recipe }),
    }));
  const pairs = pairsOf(protocol.data, "original");
  const improved = pairsOf(protocol.improved, "improved");
  const originals = results.filter(({ cell }) => cell.recipe === "original");
  const ablations = protocol.ablation.map((data) => ({
    data,
    results: originals.filter(({ cell }) => cell.data === data),
  }));
  const steps = protocol.steps.toLocaleString("en");
  const sections: Section[] = [];
  for (const pair of pairs) sections.push(await sectionOf(pair));
  return {
    title: "2-D density modelling: i-DenseNet and Monotone Flow",
    summary: summaryOf(pairs, steps),
    sections: [
      {
        title: "All data sets at a glance",
        items: [
          {
            kind: "figure",
            name: "overview",
            picture: await overviewPicture(pairs),
            caption: `The density of the data, and what each model has learned of it in ${steps} steps. All panels of a column share one colour scale.`,
          },
        ],
      },
      {
        title: "The comparison",
        items: [
          { kind: "text", text: protocolInWords(steps, isQuick) },
          lowerClaim(pairs),
          gapClaim(pairs, protocol.averageGap),
          comparisonTable(pairs),
          modelTable(originals),
          {
            kind: "figure",
            name: "losses",
            picture: lossesPicture(pairs),
            caption:
              "Training loss above the entropy of the data over the steps, on a logarithmic axis (running medians).",
          },
        ],
      },
      {
        title: "The ablation",
        items: [
          {
            kind: "text",
            text:
              "Which of the two changes matters? Three formulations, each with both activations. An inverse residual " +
              "pair is a residual block and then an inverse residual block; five pairs have ten networks, as many as " +
              "the ten blocks of the others.",
          },
          ...ablations.flatMap(({ data, results }): Item[] => [
            ablationTable(data, results),
            ablationInWords(data, results),
          ]),
        ],
      },
      {
        title: "A better recipe",
        items: [{ kind: "text", text: recipeInWords(protocol.steps) }, recipeTable(pairs, improved)],
      },
      ...sections,
    ],
    facts: [
      ["models", `${results.length}, ${steps} steps each, one rank a model`],
      ["runs", "every model is a run directory in runs/, for evaluate, sample, score and verify"],
    ],
  };
}

async function sectionOf(pair: Pair): Promise<Section> {
  const { data } = pair;
  const circles = "The dashed circles in z have the radii 1, 2 and 3 of the standard normal.";
  const items: Item[] = [
    {
      kind: "figure",
      name: `${data}-learned`,
      picture: await learnedPicture(pair),
      caption: `${data}: the true density and both models on one colour scale, which ends at the largest true density, over points drawn from each.`,
    },
    {
      kind: "figure",
      name: `${data}-transport`,
      picture: await transportPicture(pair),
      caption: `${data}: how the blocks carry a square grid of x, and points of the data, to z. ${circles}`,
    },
  ];
  return { title: data, items };
}

function summaryOf(pairs: readonly Pair[], steps: string): string {
  const gap = (of: (pair: Pair) => Result) => mean(pairs.map((pair) => of(pair).gap)).toFixed(3);
  const lower = pairs.filter(({ baseline, monotone }) => isClear(advantage(monotone, baseline))).length;
  return (
    `Two flows of ten blocks and the same networks are trained for ${steps} steps on ${pairs.length} planar densities whose ` +
    `entropy is known, with one training seed. The test loss of ${titleOf(monotoneFlows)} is ${gap((p) => p.monotone)} nats above the ` +
    `entropy on average, that of ${titleOf(iDenseNet)} ${gap((p) => p.baseline)} nats; on ${lower} of ${pairs.length} it is lower by more than ` +
    "two paired test errors."
  );
}

function protocolInWords(steps: string, isQuick: boolean): string {
  const { flow, training } = planar;
  return (
    `Both models have ${flow.blocks} blocks; each holds one dense concatenation of depth ${flow.depth} and growth ${flow.growth}, with ` +
    `spectral norms below ${flow.coeff} and a Lipschitz constant below ${flow.lip}. Adam with step size ${training.learningRate} and L2 ` +
    `${training.l2}, ${training.batch} fresh samples a step, ${steps} steps; the concatenations are learned in the second half of them. ` +
    "i-DenseNet has residual blocks and CLipSwish, Monotone Flow has monotone blocks and CPila. What differs from the original " +
    "study's code, and why, is in docs/presets.md of the package." +
    (isQuick
      ? `\n\nThis is the quick version: ${steps} steps instead of ${planar.fullSteps.toLocaleString("en")}, the ablation on one data set ` +
        "instead of two, the better recipe on two instead of four, and a wider limit for the average gap. Nothing else is smaller."
      : "")
  );
}

function recipeInWords(steps: number): string {
  const { learningRate, schedule, averaging } = improvedTraining(steps);
  const changes = schedule.map(
    ({ from, factor }) =>
      `${Number((learningRate * factor).toPrecision(3))} from step ${from.toLocaleString("en")}`,
  );
  return (
    "The original trains with a constant step size, so the weights of the last step carry its noise, of some thousandths of a " +
    "nat: on data that both models can learn this is larger than what separates them. Here both have as many steps, the first " +
    `of size ${learningRate}, then ${changes.join(", ")}; the model gets a moving average of the weights (decay ${averaging}).`
  );
}

/** The report of the image reproduction. */

import { stochastic } from "../../flows/image-flow.js";
import { ROULETTE_TOLERANCE } from "../../logdet/bounded-roulette.js";
import type { Item, Report, Section } from "../../reports/report.js";
import { fixed } from "../estimate.js";
import {
  comparisonPicture,
  curvesPicture,
  pathsPicture,
  reconstructionsPicture,
  samplesPicture,
} from "./pictures.js";
import { activations, models, monotoneFlows, type Plan, presetOf, titleOf } from "./protocol.js";
import { publishedLosses } from "./published.js";
import { resultFor, type TaskResult } from "./results.js";
import {
  ablationTable,
  changesClaim,
  exactClaim,
  exactTable,
  isExact,
  lowerClaim,
  modelTable,
  reconstructionClaim,
} from "./tables.js";

/** `origin`: where the files of MNIST and CIFAR-10 come from, as whoever has them says. */
export function reportOf(
  tasks: readonly TaskResult[],
  missing: Plan["missing"],
  isQuick: boolean,
  origin?: string,
): Report {
  return {
    title: "Images: convolutional Monotone Flows and residual flows",
    summary: summaryOf(tasks),
    sections: [
      {
        title: "What is compared",
        items: [{ kind: "text", text: protocolInWords(isQuick) }, ...originInWords(tasks, origin)],
      },
      ...tasks.map(sectionOf),
      ...(missing.length > 0 ? [missingSection(missing, isQuick)] : []),
    ],
    facts: [
      ["models", `${tasks.length * models.length}, one rank a model`],
      ["runs", "every model is a run directory in runs/, for evaluate, sample, score and verify"],
    ],
  };
}

function sectionOf(result: TaskResult): Section {
  const { data, title } = result.task;
  const monotone = resultFor(result.results, monotoneFlows);
  const exact = result.results.filter(isExact);
  const figure = (name: string, picture: ReturnType<typeof curvesPicture>, caption: string): Item => {
    return { kind: "figure", name: `${data}-${name}`, picture, caption };
  };
  return {
    title,
    items: [
      { kind: "text", text: taskInWords(result) },
      ablationTable(result),
      ...publishedLosses(result),
      ...activations.map((activation) => lowerClaim(result, activation)),
      changesClaim(result),
      modelTable(result),
      figure(
        "curves",
        curvesPicture(result),
        `${title}: bits per dimension over the steps. Left: of the training batches, and their running medians. Right: of the first test images with the averaged weights; at the end of all test images.`,
      ),
      figure(
        "comparison",
        comparisonPicture(result),
        `${title}: test images, and samples of the four models from the same latents. None is chosen.`,
      ),
      figure(
        "samples",
        samplesPicture(result, monotone),
        `${title}: samples of Monotone Flow. None is chosen.`,
      ),
      figure(
        "interpolations",
        pathsPicture(result, monotone),
        `${title}: from a test image to another, along a great circle between their latents under Monotone Flow. Both ends of a row are test images.`,
      ),
      figure(
        "reconstructions",
        reconstructionsPicture(result),
        `${title}: test images, and what each model makes of their latents on the way back.`,
      ),
      reconstructionClaim(result),
      ...(exact.length > 0 ? [exactTable(exact), exactClaim(result, exact)] : []),
    ],
  };
}

function summaryOf(tasks: readonly TaskResult[]): string {
  const results = tasks.map(({ task, results }) => {
    const [base, monotone] = [models[0], monotoneFlows].map((model) =>
      fixed(resultFor(results, model).loss.value),
    );
    return `On ${task.title}, ${titleOf(monotoneFlows)} has ${monotone} bits per dimension, ${titleOf(models[0])} ${base}.`;
  });
  return (
    "Multi-scale flows with 3 x 3 convolutions are trained by maximum likelihood with unbiased estimates of their log-determinants: " +
    "residual and monotone blocks, each with CLipSwish and CPila, at equal size, steps and seed. Lower is better. " +
    results.join(" ")
  );
}

function protocolInWords(isQuick: boolean): string {
  const { rate, exactTerms, exactTermsInEvaluation, tolerance } = stochastic;
  const { flow, training } = presetOf({ preset: "digits" });
  return (
    "The four models of a data set have the same chain: squeezes between scales, convolutional blocks, fully connected blocks at the end, " +
    `an actnorm after each. Every block holds one dense concatenation of depth ${flow.depth}, with spectral norms below ${flow.coeff} and a Lipschitz ` +
    `constant below ${flow.lip}. They differ in the formulation of the blocks and in the activation alone, and see the same images with ` +
    "the same noise in the same order." +
    `\n\nLog-determinants are power series: ${exactTerms} terms, and a number more that is drawn from Poisson(${rate}), with the weights that make the estimate ` +
    `unbiased; in evaluation at least ${exactTermsInEvaluation} terms, and as many as make their deviation certainly smaller than ${ROULETTE_TOLERANCE} nats ` +
    `a dimension. Solves end at a residual of ${tolerance}. Adam, ${training.warmUp} steps of warm-up, gradients clipped, ` +
    "averaged weights in evaluation. Uniform noise makes pixels continuous, so the loss bounds the loss of the pixels from above. What " +
    "differs from the original study's code, and why, is in docs/presets.md of the package." +
    (isQuick
      ? `\n\nThis is the quick version: the digits of the package alone, and fewer steps. Nothing else is smaller.`
      : "")
  );
}

/** Of the data sets that do not come with the package. */
export function originInWords(tasks: readonly TaskResult[], origin: string | undefined): Item[] {
  const theirs = tasks.filter(({ task }) => task.data !== "digits").map(({ task }) => task.title);
  if (theirs.length === 0) return [];
  const text = origin
    ? `Origin of the files of ${theirs.join(" and ")}: ${origin}`
    : `Whether the files of ${theirs.join(" and ")} are the published ones was not said; if they are not, their losses compare with each other alone.`;
  return [{ kind: "text", text }];
}

function taskInWords({ task, images, trained, tested }: TaskResult): string {
  const { flow, training } = presetOf(task);
  const { channels, height, width } = images.shape;
  const count = (n: number) => n.toLocaleString("en");
  const usual = presetOf(task).steps;
  return (
    `${count(trained)} training images of ${width} x ${height} pixels in ${channels === 1 ? "grey" : "colour"}, ${images.levels} levels; ${count(tested)} test images. ` +
    `The preset ${task.preset}: ${flow.blocks?.join(" and ")} blocks on its scales, growth ${flow.growth}, ${flow.connected?.blocks} fully connected blocks; ` +
    `${training.batch} images a step, step size ${training.learningRate}, ${count(task.steps)} steps` +
    (task.steps === usual ? "." : ` (the preset has ${count(usual)}).`)
  );
}

function missingSection(missing: Plan["missing"], isQuick: boolean): Section {
  const full = isQuick ? "only the full version has it, and " : "";
  const text = missing
    .map(({ title, needs }) => `${title} was left out: ${full}it needs the folder with ${needs}.`)
    .join("\n\n");
  return { title: "What is missing", items: [{ kind: "text", text }] };
}

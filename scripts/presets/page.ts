/** docs/presets.md: tables of the presets beside the settings of the original studies' code. */

import { declarationOf, full, variants } from "../../src/experiments/staircase/protocol.js";
import { imageFlow } from "../../src/flows/image-flow.js";
import { monotoneFlow } from "../../src/flows/monotone-flow.js";
import { type ImagePreset, imagePresets, studiedData } from "../../src/presets/image-presets.js";
import { defaultSteps, preset } from "../../src/presets/presets.js";
import {
  monotoneImages,
  type Plan,
  planarRows,
  type Row,
  residualFlows,
  staircaseRows,
  values,
} from "./rows.js";

/** Their images, and the training images an epoch. */
const shapes: Record<string, { channels: number; side: number; levels: number; images: number }> = {
  digits: { channels: 1, side: 8, levels: 17, images: 1_500 },
  mnist: { channels: 1, side: 28, levels: 256, images: 60_000 },
  cifar10: { channels: 3, side: 32, levels: 256, images: 50_000 },
  imagenet32: { channels: 3, side: 32, levels: 256, images: 1_281_149 },
  imagenet64: { channels: 3, side: 64, levels: 256, images: 1_281_149 },
};

function imagePlan(label: string, name: string): Plan {
  const { data, flow, training, steps, flips }: ImagePreset = imagePresets[name];
  const { channels, side, levels, images } = shapes[data];
  return {
    name: label,
    declaration: imageFlow({ ...flow, channels, height: side, width: side, levels }),
    training,
    steps,
    // MNIST's epoch of 938 batches of 64 is 234.5 steps of 256.
    anEpoch:
      data === "mnist" ? (Math.ceil(images / 64) * 64) / training.batch : Math.ceil(images / training.batch),
    flips,
  };
}

const planarPlan = (label: string, name: string): Plan => {
  const { flow, training, steps = defaultSteps } = preset(name);
  return { name: label, declaration: monotoneFlow({ dim: 2, ...flow }), training, steps };
};

/** One kind of model: its rows, and the plans of its presets. */
export interface Comparison {
  readonly title: string;
  readonly about: string;
  readonly rows: readonly Row[];
  /** As heading of a column, and its plans; the last is the most faithful. */
  readonly columns: readonly { readonly title: string; readonly plans: readonly Plan[] }[];
  /** Whether the last column is meant to be the original's in all that has no `still`. */
  readonly faithful: boolean;
}

const studied = (suffix: string) => studiedData.map((data) => imagePlan(data, `${data}${suffix}`));

export const comparisons: readonly Comparison[] = [
  {
    title: "Monotone Flows of images",
    about:
      "`train --preset mnist`, `cifar10`, `imagenet32`, `imagenet64`, and the same with `-original`, beside the commands for image " +
      "density modelling in the original's README. `-i-densenet` and `-i-densenet-original` differ from these in residual blocks " +
      "and CLipSwish alone, as the first row of the original's ablation does.",
    rows: monotoneImages,
    columns: [
      { title: "preset", plans: studied("") },
      { title: "`-original`", plans: studied("-original") },
    ],
    faithful: true,
  },
  {
    title: "Residual Flow on images",
    about:
      "`train --preset mnist-residual-flow`, `cifar10-residual-flow` and so on, beside the code of Chen et al. (2019) and the commands " +
      "in its README. There is no other version: the baseline is the published one.",
    rows: residualFlows,
    columns: [{ title: "`-residual-flow`", plans: studied("-residual-flow") }],
    faithful: true,
  },
  {
    title: "2-D data and tables",
    about:
      "`train --preset monotone` and `i-densenet`, and the same with `-original`, beside the commands for 2-D data. `reproduce 2d` " +
      "trains the models of the presets without `-original` for 50,000 steps, with the original's training.",
    rows: planarRows,
    columns: [
      { title: "preset", plans: ["monotone", "i-densenet"].map((name) => planarPlan(name, name)) },
      {
        title: "`-original`",
        plans: ["monotone", "i-densenet"].map((name) => planarPlan(name, `${name}-original`)),
      },
    ],
    faithful: true,
  },
  {
    title: "1-D fitting",
    about:
      "`reproduce 1d` beside the commands for the 1-D experiments; networks and blocks are those of (d), two monotone blocks.",
    rows: staircaseRows,
    columns: [
      {
        title: "`reproduce 1d`",
        plans: [
          {
            name: "(d)",
            declaration: declarationOf(variants[variants.length - 1], full),
            training: full.training,
            steps: full.training.steps,
          },
        ],
      },
    ],
    faithful: false,
  },
];

const SMALL = ["digits", "mnist-small", "cifar10-small"];

/** Why the small sizes are what they are where they are not the large ones. */
const small: Readonly<Record<string, string>> = {
  "blocks of the scales": "to be trained on a laptop",
  "squeeze before the first scale": "a quarter of the places a block works on",
  "actnorm before the first block": "the figures in this documentation were measured without",
  "least variance where an actnorm starts": "likewise",
  "fully connected blocks at the end": "to be trained on a laptop",
  "networks of the convolutional blocks": "to be trained on a laptop",
  optimiser: "PyTorch's default; the figures in this documentation were measured with it",
  "Adam's epsilon": "likewise, for gradients in nats",
  "images a step": "as CIFAR-10's",
  "step size": "larger for fewer steps",
  "warm-up": "a tenth, for fewer steps",
  "changes of the step size": "smaller steps before the end, as 500 are few",
  clipping: "1 in nats per dimension; the figures in this documentation were measured with it",
  "average of the weights": "over fewer steps",
  "concatenations are learned from": "there are few epochs",
  length: "to be trained on a laptop; the digits' test losses rise after 700 steps",
};

const table = (cells: readonly (readonly string[])[]): string => {
  const [head, ...rows] = cells.map((row) => `| ${row.join(" | ")} |`);
  return [head, `|${cells[0].map(() => "---").join("|")}|`, ...rows].join("\n");
};

export const sentence = (row: Row, value: string, last: boolean): string =>
  value === row.original ? "" : ((last ? row.still : undefined) ?? row.why ?? "");

function comparisonTable({ rows, columns }: Comparison): string {
  return table([
    ["setting", "original", "where", ...columns.map(({ title }) => title), "why it differs"],
    ...rows.map((row) => {
      const own = columns.map(({ plans }) => values(plans, row.of));
      const why =
        own.find((value) => value !== row.original) === undefined ? "" : (row.why ?? row.still ?? "");
      return [
        row.setting,
        row.original,
        row.where,
        ...own.map((value) => (value === row.original ? "the same" : value)),
        why,
      ];
    }),
  ]);
}

/** The rows in which a small size differs from the preset of CIFAR-10. */
export function smallRows(): { setting: string; large: string; own: string[]; why: string }[] {
  const large = imagePlan("", "cifar10");
  return monotoneImages.flatMap((row) => {
    if (/mirrored|logit/.test(row.setting)) return [];
    const own = SMALL.map((name) => row.of(imagePlan("", name)));
    const value = row.of(large);
    if (own.every((v) => v === value)) return [];
    return [{ setting: row.setting, large: value, own, why: small[row.setting] ?? "" }];
  });
}

export function page(): string {
  const sections = comparisons.flatMap((comparison) => [
    `## ${comparison.title}`,
    comparison.about,
    comparisonTable(comparison),
  ]);
  return `${[
    "# Presets, beside the original studies' settings",
    "Written by `npx tsx scripts/presets/build.ts` from the presets themselves; a test fails where it is out of date. " +
      "*Original* is the code of Ahn et al. (2022), in section two that of Chen et al. (2019), with the commands of its README; " +
      "*where* names the file or option in that code. Where a preset differs, the last column says why; with `-original` it " +
      "does not, but for what its column still shows. None of the large sizes has been trained to the end with this package.",
    ...sections,
    "## Small sizes",
    "`digits`, `mnist-small` and `cifar10-small` are this package's own. Where they are not as the preset `cifar10`:",
    table([
      ["setting", "`cifar10`", ...SMALL.map((name) => `\`${name}\``), "why"],
      ...smallRows().map(({ setting, large, own, why }) => [setting, large, ...own, why]),
    ]),
    "Their `-i-densenet` has residual blocks and CLipSwish. Their `-residual-flow` has Residual Flow's networks, three times as wide as " +
      "the dense ones grow, as 512 is to 172 (fully connected ones four times, as 128 is to 32), and all else as the size has it.",
  ].join("\n\n")}\n`;
}

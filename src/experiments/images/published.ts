/** What others have published on the same data sets, to stand beside the results here: bits per dimension, uniform noise. */
import type { Item } from "../../reports/report.js";
import { type Estimate, inWords } from "../estimate.js";
import { monotoneFlows, presetOf, titleOf } from "./protocol.js";
import { resultFor, type TaskResult } from "./results.js";

interface Published {
  readonly model: string;
  readonly source: string;
  readonly mnist: number | null;
  readonly cifar10: number | null;
}

/** Each from the article named, as far as it reports the data set. */
const PUBLISHED: readonly Published[] = [
  {
    model: "Real NVP",
    source: "Dinh et al. 2017; MNIST by Papamakarios et al. 2017",
    mnist: 1.06,
    cifar10: 3.49,
  },
  {
    model: "Glow",
    source: "Kingma and Dhariwal 2018; MNIST by Grathwohl et al. 2019",
    mnist: 1.05,
    cifar10: 3.35,
  },
  { model: "FFJORD", source: "Grathwohl et al. 2019", mnist: 0.99, cifar10: 3.4 },
  { model: "Residual Flow", source: "Chen et al. 2019", mnist: 0.97, cifar10: 3.28 },
  { model: "i-DenseNet", source: "Perugachi-Diaz et al. 2021", mnist: null, cifar10: 3.25 },
];

/** Images that published values are trained and tested on. */
const WHOLE = { mnist: { train: 60_000, test: 10_000 }, cifar10: { train: 50_000, test: 10_000 } } as const;

/** The table, and in words why its numbers are or are not comparable; nothing for data that nobody has published on. */
export function publishedLosses({ task, trained, tested, results }: TaskResult): Item[] {
  const { data, title, steps } = task;
  if (data === "digits") return [];
  const ours: Estimate = resultFor(results, monotoneFlows).loss;
  const whole = WHOLE[data];
  const count = (n: number) => n.toLocaleString("en");
  const differences = [
    `${count(steps)} training steps${steps < presetOf(task).steps ? ` of the ${count(presetOf(task).steps)} of a preset` : " of a preset"} that is smaller than theirs`,
    ...(trained < whole.train ? [`${count(trained)} of the ${count(whole.train)} training images`] : []),
    ...(tested < whole.test ? [`${count(tested)} of the ${count(whole.test)} test images`] : []),
  ];
  return [
    {
      kind: "table",
      columns: ["model", `${title}, bits/dim`, "source"],
      rows: [
        [`${titleOf(monotoneFlows)}, here`, inWords(ours), `this report: ${count(steps)} steps`],
        ...PUBLISHED.flatMap(({ model, source, ...losses }) => {
          const loss = losses[data];
          return loss === null ? [] : [[model, String(loss), source]];
        }),
      ],
      caption:
        `Published test losses on ${title} beside the one here. They are of large models at the end of their training; here: ` +
        `${differences.join("; ")}. So the number here is no reproduction of theirs.`,
    },
  ];
}

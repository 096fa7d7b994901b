/** `reproduce seeds`: who is ahead over several trainings, and by how much more than chance. */
import { join } from "node:path";
import { check } from "../../errors.js";
import type { Report } from "../../reports/report.js";
import { Run } from "../../runs/run.js";
import { models } from "../images/protocol.js";
import type { Reproduction } from "../reproduction.js";
import { trainRuns } from "../train-runs.js";
import { leadsPicture } from "./pictures.js";
import { type Entry, entriesOf, full, type Protocol, quick, runName, seedsFrom } from "./protocol.js";
import { aheadClaim, contrast, contrastTable, find, fitClaim, fitTable, type Trained } from "./tables.js";

export const reproduction: Reproduction = {
  name: "seeds",
  description: "who is ahead over several training seeds, in 2-D, on digits and in 1-D",

  settings(options) {
    const protocol = options.quick ? quick : full;
    return {
      ...options,
      seeds: seedsFrom(options.seed),
      ...protocol,
      runs: entriesOf(protocol).map(({ name }) => name),
    };
  },

  async run({ folder, quick: isQuick, seed, threads, progress }): Promise<Report> {
    const protocol = isQuick ? quick : full;
    const entries = entriesOf(protocol);
    const seeds = seedsFrom(seed);
    const pathOf = (entry: Entry, seed: number) => join(folder, "runs", runName(entry, seed));
    const planned = [];
    for (const seed of seeds) {
      for (const entry of entries)
        planned.push({ path: pathOf(entry, seed), config: await entry.config(seed) });
    }
    await trainRuns(planned, threads, progress);
    progress("writing the report");
    const trained = entries.map(
      (entry): Trained => ({ ...entry, losses: seeds.map((seed) => lossOf(pathOf(entry, seed))) }),
    );
    return reportOf(trained, protocol, seeds, isQuick);
  },
};

/** The test loss of a finished run. */
const lossOf = (path: string): number => Run.open(path).requireTest().testLoss;

/** `trained`: every model of the protocol. */
export function reportOf(
  trained: readonly Trained[],
  protocol: Protocol,
  seeds: readonly number[],
  isQuick: boolean,
): Report {
  const planar = protocol.planarData.map((data) =>
    contrast(find(trained, data, "Monotone Flow"), find(trained, data, "i-DenseNet")),
  );
  const digits = trained.filter(({ group }) => group === "digits");
  const [base, ofActivation, ofFormulation, both] = digits;
  const onDigits = [
    contrast(ofFormulation, base),
    contrast(both, ofActivation),
    contrast(ofActivation, base),
    contrast(both, ofFormulation),
    contrast(both, base),
  ];
  check(digits.length === models.length, "internal", "the digits have four models");
  const fits = trained.filter(({ group }) => group === "1-D");
  const count = (n: number) => n.toLocaleString("en");
  const { growth } = protocol.staircase.network;
  const { steps, batch } = protocol.staircase.training;
  return {
    title: "Who is ahead, over training seeds",
    summary:
      `Every model is trained with the seeds ${seeds.join(", ")}, which change its first weights, its batches and its test ` +
      "samples. A model is called ahead where its mean lead is more than two standard errors over these trainings; the " +
      "paired test errors of single trainings, in the other reports, do not say what another training would have given.",
    sections: [
      {
        title: "2-D densities",
        items: [
          {
            kind: "text",
            text:
              `The two models of the reproduction \`2d\` with the original's training, ${count(protocol.planarSteps)} steps each ` +
              `${isQuick ? "" : "(a tenth of the full length) "}on ${protocol.planarData.length} densities.`,
          },
          aheadClaim(
            `2-D, ${count(protocol.planarSteps)} steps: Monotone Flow is ahead of i-DenseNet on all ${planar.length} data sets.`,
            planar,
            "nats",
          ),
          contrastTable(planar, "nats"),
          {
            kind: "figure",
            name: "2d",
            picture: leadsPicture(planar, protocol.planarData, "nats"),
            caption: "By how much the test loss of Monotone Flow is below that of i-DenseNet, in nats.",
          },
        ],
      },
      {
        title: "Digits",
        items: [
          {
            kind: "text",
            text: `The four models of the reproduction \`images\` on the 8 x 8 digits, ${count(protocol.digitSteps)} steps each.`,
          },
          aheadClaim(
            "Digits: monotone blocks are ahead of residual blocks, with each activation.",
            onDigits.slice(0, 2),
            "bits/dim",
          ),
          aheadClaim(
            "Digits: CPila is ahead of CLipSwish, with each formulation.",
            onDigits.slice(2, 4),
            "bits/dim",
          ),
          contrastTable(onDigits, "bits/dim"),
          {
            kind: "figure",
            name: "digits",
            picture: leadsPicture(
              onDigits,
              ["monotone (CLipSwish)", "monotone (CPila)", "CPila (residual)", "CPila (monotone)", "both"],
              "bits/dim",
            ),
            caption:
              "By how much the test loss falls with each change: monotone in place of residual blocks with either activation, CPila " +
              "in place of CLipSwish with either formulation, and both changes.",
          },
        ],
      },
      {
        title: "1-D fitting",
        items: [
          {
            kind: "text",
            text:
              `The four flows of the reproduction \`1d\` with networks of growth ${growth}, ${count(batch)} samples a step, ` +
              `${count(steps)} steps.`,
          },
          fitClaim(fits),
          fitTable(fits),
        ],
      },
    ],
    facts: [["models", `${trained.length}, each trained with ${seeds.length} seeds, one rank a model`]],
  };
}

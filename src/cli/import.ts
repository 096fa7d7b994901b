import { basename, extname, join, resolve } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { check } from "../errors.js";
import { readFile } from "../files.js";
import type { Flow } from "../flows/flow.js";
import { parseJson } from "../flows/json.js";
import { saveFlow } from "../flows/model-files.js";
import { sha256 } from "../flows/sha256.js";
import { type CheckpointInfo, importCheckpoint, inspectCheckpoint } from "../interchange/import.js";
import { version } from "../manifest.js";
import { type DataConfig, RUN_FORMAT, Run, type RunConfig } from "../runs/run.js";
import { flagOf } from "./advice.js";
import { common } from "./options.js";
import { aligned, remark, report } from "./output.js";

const REPOSITORIES = {
  mlvlab: "mlvlab/MonotoneFlows",
  "residual-flows": "rtqichen/residual-flows",
  implicit: "thu-ml/implicit-normalizing-flows",
};

export function importCommand(program: Command): void {
  program
    .command("import <checkpoint>")
    .description(
      "make a run directory from a PyTorch checkpoint of mlvlab/MonotoneFlows, rtqichen/residual-flows or thu-ml/implicit-normalizing-flows; nothing in it is executed, and Python is not needed",
    )
    .option("--out <dir>", "the run directory (default: runs/ and the name of the file)")
    .option(
      "--args <file>",
      'options of the training program as JSON, above those in the checkpoint: {"act": "CPila", "coeff": 0.9}',
    )
    .option(
      "--data-dir <dir>",
      "the folder with the files of its data set of images, for evaluate and verify",
    )
    .option(
      "--averaged",
      "take the moving averages of the parameters, with which the studies evaluate images",
    )
    .option("--what-it-needs", "say what the checkpoint is and what stands in the way, and make nothing")
    .option(...common.json)
    .addHelpText(
      "after",
      `
Examples:
  $ monotone-flows import checkpt.pth --what-it-needs
  $ monotone-flows import checkpt.pth --out runs/imported
  $ monotone-flows import most_recent.pth --averaged --data-dir ~/cifar10 --out runs/cifar10
  $ monotone-flows evaluate runs/cifar10
What has a counterpart and what has none: docs/interchange.md`,
    )
    .action(async (file, options) => {
      const bytes = readFile(file);
      const more = options.args === undefined ? {} : argsOf(options.args);
      if (options.whatItNeeds) {
        const origin = inspectCheckpoint(bytes, { file, options: more });
        report(options.json, { checkpoint: file, ...origin }, description(origin));
        return;
      }
      const { averaged = false } = options;
      const { flow, origin } = await importCheckpoint(bytes, { file, options: more, averaged });
      const { dataDir } = options;
      check(
        dataDir === undefined || flow.declaration.image !== undefined,
        "usage",
        "--data-dir is the folder of a data set of images, and the model is of vectors",
      );
      const name = basename(file, extname(file));
      const run = Run.create(
        options.out ?? join("runs", name),
        configOf(flow, origin, file, bytes, { averaged, dataDir }),
      );
      saveFlow(flow, run.path);
      const { study } = origin;
      const { blocks, dim } = flow;
      const result = {
        run: run.path,
        study,
        dim,
        blocks: blocks.length,
        parameters: flow.parameters.values.length,
      };
      report(
        options.json,
        result,
        aligned([
          ["from", `${REPOSITORIES[study]}${averaged ? ", averaged parameters" : ""}`],
          ["model", `${dim} dimensions, ${blocks.length} blocks, ${result.parameters} parameters`],
          ["run", run.path],
        ]),
      );
      if (origin.averaged && !averaged) {
        remark(
          "The checkpoint also has averaged parameters, with which the study evaluates: --averaged takes them.",
        );
      }
    });
}

/** The JSON object in a file. */
function argsOf(file: string): Record<string, string | number | boolean | null> {
  const value = parseJson(readFile(file), file);
  const simple = (v: unknown) => v === null || ["string", "number", "boolean"].includes(typeof v);
  check(
    typeof value === "object" &&
      value !== null &&
      !Array.isArray(value) &&
      Object.values(value).every(simple),
    "input",
    `${file} must be one JSON object of options and their values, such as {"act": "CPila", "coeff": 0.9}`,
  );
  return value as Record<string, string | number | boolean | null>;
}

function description({ study, options, tensors, numbers, averaged, obstacles }: CheckpointInfo): string[] {
  const shown = ["data", "act", "nblocks", "coeff", "densenet", "monotone_resolvent"].filter(
    (o) => o in options,
  );
  return [
    ...aligned([
      ["from", REPOSITORIES[study]],
      ["model", `${tensors} tensors, ${numbers} numbers`],
      ["averages", averaged ? "there are averaged parameters, too: --averaged" : "none"],
      ["options", shown.map((name) => `--${name} ${options[name]}`).join(" ") || "none"],
    ]),
    ...(obstacles.length === 0
      ? ["It can be imported."]
      : [
          "It cannot be imported:",
          ...obstacles.map((obstacle) => `  ${obstacle}`),
          ...(Object.keys(options).length === 0 ? [`They can be given: ${flagOf("options")}.`] : []),
        ]),
  ];
}

/** What the training program says of the run; what it does not say is as in its defaults. */
function configOf(
  flow: Flow,
  { study, options }: CheckpointInfo,
  file: string,
  bytes: Uint8Array,
  { averaged, dataDir }: { averaged: boolean; dataDir: string | undefined },
): RunConfig {
  const number = (name: string, otherwise: number) => {
    const value = options[name];
    return typeof value === "number" && Number.isFinite(value) ? value : otherwise;
  };
  const whole = (name: string, otherwise: number) => Math.max(1, Math.round(number(name, otherwise)));
  const data = String(options.data ?? "unknown");
  const kind: DataConfig = flow.declaration.image
    ? { kind: "images", data, ...(dataDir ? { dataDir: resolve(dataDir) } : {}), flips: data === "cifar10" }
    : { kind: "toy", name: data };
  return {
    format: RUN_FORMAT,
    version,
    preset: study,
    origin: { study, file: basename(file), sha256: sha256(bytes), averaged, options },
    data: kind,
    training: {
      steps: whole("niters", 1),
      batch: whole(flow.declaration.image ? "batchsize" : "batch_size", 64),
      seed: Math.max(0, Math.round(number("seed", 0))),
      learningRate: Math.max(Number.MIN_VALUE, number("lr", 1e-3)),
      l2: Math.max(0, number(flow.declaration.image ? "wd" : "weight_decay", 0)),
    },
    threads: 1,
    checkpointEvery: 500,
    flow: flow.declaration,
  };
}

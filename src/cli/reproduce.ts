import { join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { nearestName } from "../data/nearest-name.js";
import { check, FlowError, quoted } from "../errors.js";
import type { Reproduction, ReproductionOptions } from "../experiments/reproduction.js";
import { ReproductionFolder } from "../experiments/reproduction-folder.js";
import { reproductions } from "../experiments/reproductions.js";
import { version } from "../manifest.js";
import { trainingSchema } from "../training/options.js";
import { common, rankCount, schemaOption } from "./options.js";
import { aligned, remark, report } from "./output.js";
import { duration } from "./progress.js";

/** The seconds spent are noted about this often. */
const SAVE_TIME_EVERY = 10;

const reproduceOptions = (program: Command) =>
  program
    .command("reproduce <experiment>")
    .description(
      `reproduce what the slides claim (${Object.keys(reproductions).join(", ")}): a report with figures, tables and checked claims`,
    )
    .option("--quick", "a faithful small version, in a few minutes at most")
    .addOption(common.seed("all random numbers"))
    .addOption(common.threads)
    .option(
      "--data-dir <dir>",
      "for images: the folder with MNIST and CIFAR-10, of which those that are there are included",
    )
    .addOption(
      schemaOption("--image-steps <n>", trainingSchema.shape.steps, {
        sentence: "for images: training steps on MNIST and CIFAR-10",
        standard: "10000, a night on a laptop",
      }),
    )
    .option("--origin <words>", "for images: where those files come from, which the report repeats")
    .option(
      "--out <dir>",
      "the folder of the report (default: reproductions/<experiment>, with --quick -quick)",
    )
    .option(...common.json);

type ReproduceOptions = ReturnType<ReturnType<typeof reproduceOptions>["opts"]>;

export function reproduceCommand(program: Command): void {
  reproduceOptions(program)
    .addHelpText(
      "after",
      `
A reproduction that was interrupted goes on where it stopped when the same command is given again.

Examples:
  $ monotone-flows reproduce theory --quick
  $ monotone-flows reproduce 2d --seed 1 --out results/seed-1
  $ monotone-flows reproduce images --data-dir ~/data --image-steps 2000`,
    )
    .action(reproduce);
}

async function reproduce(name: string, options: ReproduceOptions): Promise<void> {
  const reproduction = await reproductionOf(name);
  const quick = options.quick ?? false;
  const { seed } = options;
  const threads = rankCount(options.threads);
  const images = imageOptions(reproduction, options);
  const path = options.out ?? join("reproductions", quick ? `${name}-quick` : name);
  const folder = ReproductionFolder.open(path, {
    reproduction: name,
    version,
    settings: await reproduction.settings({ quick, seed, ...images }),
  });
  remark(`Reproducing ${name}: ${reproduction.description}, seed ${seed}, in ${path}`);

  let saved = folder.seconds;
  const progress = (line: string) => {
    remark(`${duration(folder.seconds).padStart(6)}  ${line}`);
    if (folder.seconds - saved < SAVE_TIME_EVERY) return;
    folder.saveTime();
    saved = folder.seconds;
  };
  const content = await reproduction.run({ folder: path, quick, seed, ...images, threads, progress });
  const seconds = folder.seconds;
  folder.saveTime();
  const command = [
    "monotone-flows reproduce",
    name,
    ...(quick ? ["--quick"] : []),
    `--seed ${seed}`,
    // Whoever repeats it has a folder of their own.
    ...(images.dataDir === undefined ? [] : ["--data-dir DIR"]),
    ...(images.imageSteps === undefined ? [] : [`--image-steps ${images.imageSteps}`]),
    ...(images.origin === undefined ? [] : [`--origin '${images.origin}'`]),
  ].join(" ");
  // Loaded only now: the plotting libraries are large.
  const { claimsOf } = await import("../reports/report.js");
  const { writeReport } = await import("../reports/write-report.js");
  writeReport(path, {
    ...content,
    facts: [
      ["command", command],
      ["seed", String(seed)],
      ["version", `monotone-flows ${version}, Node ${process.versions.node}`],
      ["threads", String(threads)],
      ["time taken", duration(seconds)],
      ...content.facts,
    ],
  });

  const claims = claimsOf(content).map(({ claim, holds, detail }) => ({ claim, holds, detail }));
  const failing = claims.filter(({ holds }) => !holds);
  const page = join(path, "report.html");
  report(options.json, { experiment: name, report: page, quick, seed, claims, seconds }, [
    ...claims.map(({ claim, holds, detail }) => `${holds ? "✓" : "✗"} ${claim} (${detail})`),
    ...aligned([
      ["time", duration(seconds)],
      ["report", page],
    ]),
  ]);
  if (failing.length > 0) {
    throw new FlowError(
      "numerical",
      `${failing.length} of ${claims.length} claims do not hold: ${failing.map(({ claim }) => claim).join("; ")}`,
    );
  }
}

/** What is said of image data sets; throws a `usage` error where the experiment uses none. */
function imageOptions(
  { name, takesImages = false }: Reproduction,
  { quick, dataDir, imageSteps, origin }: ReproduceOptions,
): Pick<ReproductionOptions, "dataDir" | "imageSteps" | "origin"> {
  const given = Object.entries({
    "--data-dir": dataDir,
    "--image-steps": imageSteps,
    "--origin": origin,
  }).filter(([, value]) => value !== undefined);
  if (given.length === 0) return {};
  const [[option]] = given;
  check(takesImages, "usage", `${option} is for reproduce images; ${name} has data of its own`);
  check(!quick, "usage", `${option} does not go with --quick, which uses the digits of the package alone`);
  check(
    dataDir !== undefined,
    "usage",
    `${option} is for MNIST and CIFAR-10: give their folder with --data-dir`,
  );
  return {
    dataDir,
    ...(imageSteps === undefined ? {} : { imageSteps }),
    ...(origin === undefined ? {} : { origin }),
  };
}

/** The reproduction of that name; throws a `usage` error that offers the nearest one otherwise. */
async function reproductionOf(name: string) {
  const load = Object.hasOwn(reproductions, name) ? reproductions[name] : undefined;
  if (load) return load();
  const names = Object.keys(reproductions);
  const nearest = nearestName(name, names);
  throw new FlowError(
    "usage",
    `there is no experiment ${quoted(name)}; ${nearest === null ? `choose one of ${names.join(", ")}` : `did you mean ${nearest}?`}`,
  );
}

import type { Command } from "@commander-js/extra-typings";
import { FlowError } from "../errors.js";
import { type Certificate, certify, LARGEST_JACOBIAN, LIMITS } from "../flows/certificate.js";
import type { Flow } from "../flows/flow.js";
import { Purpose, Random } from "../model/random.js";
import { Table } from "../table.js";
import { common } from "./options.js";
import { orNull, report } from "./output.js";
import { openModel, trainingSource } from "./run-model.js";

const SAMPLES = 10_000;
/** The same of images, of which each takes a thousand times as long. */
const IMAGES = 64;
/** A step that no training reaches: fresh draws of a toy density, random rows of a table. */
const STEP = 2 ** 40;

export function verifyCommand(program: Command): void {
  program
    .command("verify <run>")
    .description(
      "certify a run's model: Lipschitz bounds below 1, round trips, log-determinants against float64",
    )
    .option(...common.json)
    .addHelpText(
      "after",
      `
Examples:
  $ monotone-flows verify runs/2spirals-monotone
  $ monotone-flows verify runs/2spirals-monotone --json`,
    )
    .action(async (path, options) => {
      const { run, flow } = await openModel(path);
      const { seed } = run.config.training;
      const count = flow.declaration.image ? IMAGES : SAMPLES;
      const data = new Table(count, flow.dim);
      (await trainingSource(run)).fill(data.values, seed, STEP, 0, count);
      const latents = new Table(count, flow.dim);
      const random = new Random(seed, Purpose.verification);
      for (let i = 0; i < latents.values.length; i++) latents.values[i] = random.normal();
      const { failures, ...certificate } = await certify(flow, data, latents);
      const largest = Math.max(...certificate.blocks.map((b) => b.lipschitzBound));
      report(options.json, { run: run.path, ...plain(certificate), failures }, [
        ...certificate.blocks.map(
          (b) =>
            `block ${String(b.block).padEnd(2)}  ${b.kind.padEnd(16)}  Lip(G) <= ${b.lipschitzBound.toFixed(6)}`,
        ),
        `largest bound     ${largest.toFixed(6)}  (${largest < LIMITS.lipschitz ? "below 1: every block is invertible" : "not below 1"})`,
        `x -> z -> x       ${size(certificate.roundTripData)}  (${count} samples of the data)`,
        `z -> x -> z       ${size(certificate.roundTripLatent)}  (${count} samples of the base)`,
        logDetLine(flow, certificate),
        ...jacobianLine(certificate),
        certificate.ok ? "certified" : "NOT certified",
      ]);
      if (failures.length > 0)
        throw new FlowError("numerical", `${run.path} is not certified: ${failures.join("; ")}`);
    });
}

/** An error in words: rows that have failed have none. */
const size = (error: number) => (Number.isNaN(error) ? "not known" : error.toExponential(2));

/** For JSON: what is not known is null. */
function plain(certificate: Omit<Certificate, "failures">) {
  const { blocks, roundTrip, roundTripData, roundTripLatent, logDetError, logDetLimit, jacobianError } =
    certificate;
  return {
    ...certificate,
    blocks: blocks.map((block) => ({ ...block, lipschitzBound: orNull(block.lipschitzBound) })),
    roundTrip: orNull(roundTrip),
    roundTripData: orNull(roundTripData),
    roundTripLatent: orNull(roundTripLatent),
    logDetError: logDetError === null ? null : orNull(logDetError),
    logDetLimit: orNull(logDetLimit),
    jacobianError: jacobianError === null ? null : orNull(jacobianError),
  };
}

function logDetLine(flow: Flow, { logDetError, logDetSamples, logDetLimit }: Omit<Certificate, "failures">) {
  const label = "log-determinant   ";
  if (logDetError === null)
    return `${label}not checked: ${flow.dim} dimensions are too many for whole Jacobians`;
  const how = flow.declaration.estimator
    ? `means of estimates for ${logDetSamples} images against ${flow.dim <= LARGEST_JACOBIAN ? "whole Jacobians" : "estimates for the inverse map: whole Jacobians are too large"}; ${logDetLimit.toExponential(2)} allowed`
    : `${logDetSamples} samples, numerical Jacobian in float64`;
  return `${label}${size(logDetError)}  (${how})`;
}

/** The second line of images small enough. */
function jacobianLine({ jacobianError }: Omit<Certificate, "failures">): string[] {
  if (jacobianError === null) return [];
  return [`whole Jacobian    ${size(jacobianError)}  (one image, numerical Jacobian in float64)`];
}

import type { Command } from "@commander-js/extra-typings";
import { z } from "zod";
import { writeFileAtomically } from "../files.js";
import { exportCheckpoint } from "../interchange/export.js";
import { STUDIES } from "../interchange/study-options.js";
import { option } from "../options.js";
import { schemaOption } from "./options.js";
import { report } from "./output.js";
import { openModel } from "./run-model.js";

export function exportCommand(program: Command): void {
  program
    .command("export <run>")
    .description(
      "write a run's model as a PyTorch checkpoint that the code of one of the original studies loads",
    )
    .addOption(
      schemaOption(
        "--format <study>",
        option(z.enum(STUDIES), "whose code is to load it"),
      ).makeOptionMandatory(),
    )
    .requiredOption("--out <file>", "the checkpoint, a .pth file")
    .option("--json", "print one JSON object on stdout, with the options that build the model there")
    .addHelpText(
      "after",
      `
Examples:
  $ monotone-flows export runs/2spirals-monotone --format mlvlab --out model.pth
In Python, in a checkout of the study, with the model built by the options in checkpoint["args"]:
  checkpoint = torch.load("model.pth")
  model.load_state_dict(checkpoint["state_dict"])
What has a counterpart and what has none: docs/interchange.md`,
    )
    .action(async (path, { format, out, json }) => {
      const { run, flow } = await openModel(path);
      const { bytes, options } = exportCheckpoint(flow, format);
      writeFileAtomically(out, bytes);
      const flags = Object.entries(options).map(([name, value]) => `${name}=${value}`);
      report(json, { run: run.path, format, out, options }, [
        `${bytes.length} bytes in ${out}, for a model of ${flags.join(" ")}`,
      ]);
    });
}

import type { Command } from "commander";
import { check, quoted } from "../errors.js";
import { writeFileAtomically } from "../files.js";
import { exportCheckpoint } from "../interchange/export.js";
import { STUDIES, type Study } from "../interchange/study-options.js";
import { report } from "./output.js";
import { openModel } from "./run-model.js";

export function exportCommand(program: Command): void {
  program
    .command("export <run>")
    .description(
      "write a run's model as a PyTorch checkpoint that the code of one of the original studies loads",
    )
    .requiredOption("--format <study>", `whose code is to load it: ${STUDIES.join(", ")}`)
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
    .action(async (path: string, { format, out, json }: { format: string; out: string; json?: boolean }) => {
      const known = (STUDIES as readonly string[]).includes(format);
      check(known, "usage", `--format must be one of ${STUDIES.join(", ")}, not ${quoted(format)}`);
      const { run, flow } = await openModel(path);
      const { bytes, options } = exportCheckpoint(flow, format as Study);
      writeFileAtomically(out, bytes);
      const flags = Object.entries(options).map(([name, value]) => `${name}=${value}`);
      report(json, { run: run.path, format, out, options }, [
        `${bytes.length} bytes in ${out}, for a model of ${flags.join(" ")}`,
      ]);
    });
}

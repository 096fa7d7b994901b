/** The commands. */
import { Command } from "commander";
import { description, version } from "../package.js";
import { benchCommand } from "./bench.js";
import { evaluateCommand } from "./evaluate.js";
import { exportCommand } from "./export.js";
import { importCommand } from "./import.js";
import { reproduceCommand } from "./reproduce.js";
import { sampleCommand } from "./sample.js";
import { scoreCommand } from "./score.js";
import { studioCommand } from "./studio.js";
import { trainCommand } from "./train.js";
import { verifyCommand } from "./verify.js";

/** An error of commander as one sentence on one line. */
const oneLine = (text: string) =>
  text
    .replace(/^error: /, "")
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean)
    .join(" ");

export const program = new Command("monotone-flows")
  .description(description)
  .version(version)
  .configureOutput({ outputError: (text, write) => write(`monotone-flows: ${oneLine(text)}\n`) })
  .exitOverride()
  .addHelpText(
    "after",
    "\nStart with:\n  $ monotone-flows train\n\nEvery command has its own --help, with examples.",
  );

for (const add of [
  trainCommand,
  evaluateCommand,
  sampleCommand,
  scoreCommand,
  verifyCommand,
  importCommand,
  exportCommand,
  reproduceCommand,
  benchCommand,
  studioCommand,
])
  add(program);

#!/usr/bin/env node
import { Command } from "commander";
import { FlowError } from "../errors.js";
import { reason } from "../flows/files.js";
import { description, version } from "../package.js";
import { benchCommand } from "./bench.js";
import { evaluateCommand } from "./evaluate.js";
import { exitCode } from "./output.js";
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
    .trim()
    .replace(/\s*\n\s*/g, " ");

const program = new Command("monotone-flows")
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
  reproduceCommand,
  benchCommand,
  studioCommand,
])
  add(program);

// A reader of our output that goes away, such as head, is no fault.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  process.stderr.write(`monotone-flows: cannot write to standard output: ${reason(error)}\n`);
  process.exit(2);
});

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCode(error);
  if (error instanceof FlowError) process.stderr.write(`monotone-flows: ${error.message}\n`);
  else if (process.exitCode !== 0 && !(error instanceof Error && error.name === "CommanderError")) {
    process.stderr.write(
      `monotone-flows: internal fault: ${error instanceof Error ? (error.stack ?? error.message) : error}\n`,
    );
  }
}

#!/usr/bin/env node
import { createRequire } from "node:module";
import { Command } from "commander";
import { FlowError } from "../errors.js";
import { benchCommand } from "./bench.js";
import { evaluateCommand } from "./evaluate.js";
import { exitCode } from "./output.js";
import { sampleCommand } from "./sample.js";
import { scoreCommand } from "./score.js";
import { trainCommand } from "./train.js";
import { verifyCommand } from "./verify.js";

const { version, description } = createRequire(import.meta.url)("../../../package.json") as {
  version: string;
  description: string;
};

const program = new Command("monotone-flows")
  .description(description)
  .version(version)
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "monotone-flows: ")) })
  .exitOverride()
  .addHelpText(
    "after",
    "\nStart with:\n  $ monotone-flows train\n\nEvery command has its own --help, with examples.",
  );

for (const add of [trainCommand, evaluateCommand, sampleCommand, scoreCommand, verifyCommand, benchCommand])
  add(program);

// A reader of our output that goes away, such as head, is no fault.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1);
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

#!/usr/bin/env node
import { endWith, guardStreams } from "./faults.js";

guardStreams();
process.on("uncaughtException", (error) => process.exit(endWith(error)));
try {
  // Not before: what keeps the modules from being loaded is said in one sentence, too.
  const { programFor } = await import("./program.js");
  const args = process.argv.slice(2);
  await (await programFor(args)).parseAsync(args, { from: "user" });
} catch (error) {
  // Now: a thread that could not be started would keep the process alive.
  process.exit(endWith(error));
}

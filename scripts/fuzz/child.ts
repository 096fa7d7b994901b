/** A process that tries mutants: one that hangs or takes too much memory is killed alone. */
import { tmpdir } from "node:os";
import { Fuzzer } from "./fuzz.js";

const fuzzer = new Fuzzer(tmpdir(), Number(process.argv[2]));
process.on("message", async (mutant: number) => {
  const verdict = await fuzzer.try(mutant);
  process.send?.({ verdict, megabytes: process.resourceUsage().maxRSS / 1024 });
});
process.on("disconnect", () => {
  fuzzer.end();
  process.exit();
});
process.send?.("ready");

/**
 * `npm run fuzz`: changes model files, run directories and files of data, and reads them.
 *
 *   npm run fuzz -- [--mutants 2000] [--seed 0] [--only N]
 *
 * Each mutant follows from the seed and its number, so that `--only N` tries one again and tells all about it. None may end
 * with anything but a FlowError, take longer than 10 seconds or more than 500 MB, or change a result without a warning
 * (`targets.ts` has the rules). Exit code 1 if one does.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isFault, type Verdict } from "./fuzz.js";
import { targets } from "./targets.js";

const TIME_MS = 10_000;
const MEMORY_MB = 500;
const OUTCOMES = [
  "refused",
  "same",
  "warned",
  "other numbers",
  "CHANGED",
  "TRACE",
  "HANG",
  "MEMORY",
] as const;

const { values } = parseArgs({
  options: {
    mutants: { type: "string", default: "2000" },
    seed: { type: "string", default: "0" },
    only: { type: "string" },
  },
});
const wanted =
  values.only === undefined
    ? Array.from({ length: Number(values.mutants) }, (_, i) => i)
    : [Number(values.only)];

let child: ChildProcess | null = null;

async function started(): Promise<ChildProcess> {
  const next = fork(fileURLToPath(new URL("child.ts", import.meta.url)), [values.seed], {
    execArgv: ["--import", "tsx"],
  });
  await new Promise((resolve) => next.once("message", resolve));
  return next;
}

async function attempt(mutant: number): Promise<Verdict> {
  const process = child ?? (await started());
  child = process;
  const { name } = targets[mutant % targets.length];
  const failed = (outcome: "TRACE" | "HANG" | "MEMORY", message: string): Verdict => {
    child = null;
    process.removeAllListeners();
    process.kill("SIGKILL");
    return { mutant, target: name, change: "", outcome, message };
  };
  return await new Promise((resolve) => {
    const timer = setTimeout(() => resolve(failed("HANG", `more than ${TIME_MS / 1000} seconds`)), TIME_MS);
    const done = (verdict: Verdict) => {
      clearTimeout(timer);
      process.removeAllListeners();
      resolve(verdict);
    };
    process.once("message", ({ verdict, megabytes }: { verdict: Verdict; megabytes: number }) =>
      done(megabytes > MEMORY_MB ? failed("MEMORY", `${Math.round(megabytes)} MB`) : verdict),
    );
    process.once("exit", (code, signal) => done(failed("TRACE", `the process ended with ${signal ?? code}`)));
    process.send(mutant);
  });
}

const counts = new Map(targets.map(({ name }) => [name, new Map<string, number>()]));
let faults = 0;
for (const mutant of wanted) {
  const verdict = await attempt(mutant);
  const row = counts.get(verdict.target);
  row?.set(verdict.outcome, (row.get(verdict.outcome) ?? 0) + 1);
  if (isFault(verdict)) faults++;
  if (isFault(verdict) || values.only !== undefined) {
    const again = `npm run fuzz -- --seed ${values.seed} --only ${mutant}`;
    console.log(`${verdict.outcome}: ${verdict.target}, ${verdict.change} (${again})\n  ${verdict.message}`);
  }
}
child?.disconnect();

console.log(["".padEnd(16), ...OUTCOMES.map((outcome) => outcome.padStart(14))].join(""));
for (const [name, row] of counts)
  console.log([name.padEnd(16), ...OUTCOMES.map((o) => String(row.get(o) ?? 0).padStart(14))].join(""));
console.log(`${wanted.length} mutants of seed ${values.seed}, ${faults} faults`);
process.exitCode = faults > 0 ? 1 : 0;

/**
 * Ours against PyTorch and JAX, in one run and in turn: milliseconds a step of the 2-D protocol, the ratios, the
 * loss after the same steps, and the seconds to a test loss against a neural spline flow. `npm run bench:peers`.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { Command } from "commander";
import { median } from "../../src/plots/quantile.js";
import { checkPeer, installPeers, root, runPeer } from "./peer.js";

const TARGETS = ["2.75", "2.70"];

interface Result {
  name: string;
  msPerStep: number;
  msPerStepLate: number;
  testLoss: number | null;
  secondsTo?: Record<string, number | null>;
}

const { rounds, steps, originalSteps, targetSteps } = new Command("bench:peers")
  .option("--rounds <n>", "how often each program is timed, in turn", "3")
  .option("--steps <n>", "steps of each timing", "1000")
  .option("--original-steps <n>", "steps of each timing of the original's algorithms", "200")
  .option("--target-steps <n>", "most steps on the way to the targets", "6000")
  .parse()
  .opts<Record<string, string>>();

function timePeer(name: string, interpreter: string, threads: number): Result {
  const n = name === "torch_original" ? originalSteps : steps;
  const result = runPeer<Result & { losses: { testLoss: number }[] }>(name, interpreter, [
    "--steps",
    n,
    "--threads",
    String(threads),
    "--test-every",
    n,
  ]);
  return { ...result, testLoss: result.losses.at(-1)?.testLoss ?? null };
}

function timeOurs(threads: number, args: string[]): Result {
  const main = join(root, "dist", "src", "cli", "main.js");
  const output = execFileSync(process.execPath, [
    main,
    "bench",
    "training",
    "--threads",
    String(threads),
    "--json",
    ...args,
  ]);
  return { name: "monotone-flows", ...JSON.parse(output.toString()) };
}

const row = (cells: (string | number)[]) => `| ${cells.join(" | ")} |`;

const available = installPeers();
for (const name of ["torch_original", "torch_newton", "jax_newton"]) {
  const interpreter = available.get(name);
  if (!interpreter) continue;
  const check = checkPeer(name, interpreter);
  console.log(`${name}: golden vectors ${check}`);
  if (check !== "passed") available.delete(name);
}

const programs = [
  ...[1, 2].map((threads) => ({
    label: "monotone-flows",
    threads,
    run: () => timeOurs(threads, ["--steps", String(Number(steps) - 50)]),
  })),
  ...["torch_original", "torch_newton", "jax_newton"].flatMap((name) => {
    const interpreter = available.get(name);
    return interpreter
      ? [1, 2].map((threads) => ({ label: name, threads, run: () => timePeer(name, interpreter, threads) }))
      : [];
  }),
];
const timings = programs.map(() => [] as Result[]);
for (let round = 0; round < Number(rounds); round++) {
  for (const [i, program] of programs.entries()) {
    timings[i].push(program.run());
    const { msPerStep } = timings[i][round];
    console.error(
      `round ${round + 1}: ${program.label}, ${program.threads} threads: ${msPerStep.toFixed(2)} ms`,
    );
  }
}
const best = Math.min(...timings.slice(0, 2).map((results) => median(results.map((r) => r.msPerStep))));
console.log(`\n${row(["program", "threads", "ms a step", "late", "ratio to our best", "test loss"])}`);
console.log(row(["---", "--:", "--:", "--:", "--:", "--:"]));
programs.forEach(({ label, threads }, i) => {
  const ms = median(timings[i].map((r) => r.msPerStep));
  const late = median(timings[i].map((r) => r.msPerStepLate));
  const loss = timings[i][0].testLoss;
  console.log(
    row([label, threads, ms.toFixed(2), late.toFixed(2), (ms / best).toFixed(2), loss?.toFixed(3) ?? "-"]),
  );
});

console.log(`\n${row(["seconds of training to", ...TARGETS.map((t) => `${t} nats`)])}`);
console.log(row(["---", ...TARGETS.map(() => "--:")]));
const seconds = (result: Result) => TARGETS.map((t) => result.secondsTo?.[t]?.toFixed(1) ?? "not reached");
const ours = timeOurs(2, ["--steps", targetSteps, "--targets", TARGETS.join(",")]);
console.log(row(["monotone-flows, 2 threads", ...seconds(ours)]));
const spline = available.get("nsf");
if (spline) {
  for (const threads of [1, 2]) {
    const args = ["--steps", targetSteps, "--threads", String(threads), "--target", ...TARGETS];
    const result = runPeer<Result>("nsf", spline, args);
    console.log(
      row([
        `neural spline flow (PyTorch), ${threads} ${threads === 1 ? "thread" : "threads"}`,
        ...seconds(result),
      ]),
    );
  }
}

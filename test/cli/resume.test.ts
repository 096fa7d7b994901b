import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { reconfigure } from "../support/run-directory.js";
import { checkpointAfter, checkpoints, newest, stepOf } from "./checkpoints.js";
import { expectComplaint, json, run, runLimited, snapshot, start, temporary, writeTable } from "./cli.js";

const folder = temporary();
writeTable(join(folder, "table.csv"), { columns: 2 });

const at = (...names: string[]) => readFileSync(join(folder, ...names));

/** The lines of metrics without their times. */
const metrics = (name: string) =>
  at(name, "metrics.jsonl")
    .toString()
    .trim()
    .split("\n")
    .map((line) => ({ ...JSON.parse(line), seconds: 0 }));

/** Starts the program, and sends a signal once there is a checkpoint after that step. */
async function interrupt(signal: NodeJS.Signals, name: string, after: number, ...args: string[]) {
  const { child, end } = start(folder, "train", ...args);
  await checkpointAfter(after, join(folder, name), child);
  child.kill(signal);
  return end;
}

it.each([1, 2])(
  "goes on bit for bit after SIGINT and kill -9, on %d threads",
  async (threads) => {
    const steps = 150;
    const [whole, broken] = [`whole${threads}`, `broken${threads}`];
    const options = [
      "--data",
      "table.csv",
      "--batch",
      "40",
      "--steps",
      `${steps}`,
      "--threads",
      `${threads}`,
      "--checkpoint-every",
      "7",
    ];
    await json(folder, "train", ...options, "--out", whole);

    const stopped = await interrupt("SIGINT", broken, 0, ...options, "--out", broken);
    expect(stopped.stdout).toBe("");
    expect(stopped.stderr).toMatch(
      new RegExp(
        `\nmonotone-flows: stopped at step \\d+; go on with: monotone-flows train --resume ${broken}\n$`,
      ),
    );
    expect(stopped.code).toBe(1);
    const first = stepOf(newest(join(folder, broken)));
    expect(first).toBe(Number(/stopped at step (\d+)/.exec(stopped.stderr)?.[1]));
    expect(first).toBeLessThan(steps);

    const killed = await interrupt("SIGKILL", broken, first, "--resume", broken);
    expect(killed.code).toBe(null);
    expect(existsSync(join(folder, broken, "run.lock"))).toBe(true);
    const second = stepOf(newest(join(folder, broken)));
    expect(second).toBeGreaterThan(first);
    expect(second).toBeLessThan(steps);
    expect(killed.stderr).toMatch(new RegExp(`^Going on from step ${first}: `));

    // What a machine that loses its power may leave: a newer checkpoint and a model, both cut short.
    const complete = at(broken, "checkpoint", newest(join(folder, broken)));
    writeFileSync(
      join(folder, broken, "checkpoint", "step-00000149.safetensors"),
      complete.subarray(0, 5000),
    );
    writeFileSync(join(folder, broken, "checkpoint", "step-00000149.safetensors.7.partial"), "cut");
    writeFileSync(join(folder, broken, "model.safetensors.7.partial"), "cut");
    const done = await run(folder, "train", "--resume", broken);
    expect(done.code, done.stderr).toBe(0);
    expect(done.stderr).toMatch(
      new RegExp(`^Passed over: .*step-00000149\\.safetensors .*\nGoing on from step ${second}: `),
    );

    expect(at(broken, "model.safetensors").equals(at(whole, "model.safetensors"))).toBe(true);
    const last = `step-00000${steps}.safetensors`;
    expect(at(broken, "checkpoint", last).equals(at(whole, "checkpoint", last))).toBe(true);
    expect(metrics(broken)).toEqual(metrics(whole));
    const names = (name: string) => snapshot(join(folder, name)).map((line) => line.split(" ")[0]);
    expect(names(broken)).toEqual(names(whole));
  },
  180_000,
);

const short = ["--data", "table.csv", "--batch", "40", "--threads", "1"];

it.concurrent("goes on beyond the end of a finished run, and only with what may change", async () => {
  await Promise.all([
    json(folder, "train", ...short, "--steps", "20", "--out", "longer"),
    json(folder, "train", ...short, "--steps", "30", "--out", "long"),
  ]);
  const before = snapshot(join(folder, "longer"));
  const resume = (...args: string[]) => run(folder, "train", "--resume", "longer", ...args);
  expectComplaint(await resume(), /longer has all its 20 steps; ask for more with --steps/);
  expectComplaint(await resume("--steps", "10"), /--steps 10 is less than the 20 steps/);
  expectComplaint(await resume("--steps", "0"), /--steps must be a positive whole number, not '0'/);
  expectComplaint(
    await resume("--learning-rate", "1"),
    /--resume .* cannot be used with option .--learning-rate/,
  );
  expectComplaint(
    await resume("--seed", "1", "--steps", "40"),
    /--resume .* cannot be used with option .--seed/,
  );
  expect(snapshot(join(folder, "longer"))).toEqual(before);

  const longer = await json(folder, "train", "--resume", "longer", "--steps", "30");
  expect(longer.steps).toBe(30);
  expect(at("longer", "model.safetensors").equals(at("long", "model.safetensors"))).toBe(true);
  expect(metrics("longer").map(({ step }) => step)).toEqual([10, 20, 30]);
}, 180_000);

it.concurrent("stops when the loss is no longer finite, and names step, block and last good checkpoint", async () => {
  await json(folder, "train", ...short, "--steps", "5", "--out", "wild");
  reconfigure(join(folder, "wild"), (config) => {
    config.training.learningRate = 1e30;
    config.checkpointEvery = 1;
  });
  const before = at("wild", "model.safetensors");
  const { code, stdout, stderr } = await run(folder, "train", "--resume", "wild", "--steps", "50");
  expect(code).toBe(1);
  expect(stdout).toBe("");
  const last = stderr.trim().split("\n").at(-1);
  expect(last).toMatch(
    /^monotone-flows: .* at step \d+, in block \d+ \(monotone\); the last good checkpoint is that of step 5, in wild.checkpoint$/,
  );
  expect(at("wild", "model.safetensors").equals(before)).toBe(true);
  expect(checkpoints(join(folder, "wild"))).toEqual(["step-00000005.safetensors"]);

  const early = await run(
    folder,
    "train",
    ...short,
    "--threads",
    "2",
    "--learning-rate",
    "1e30",
    "--out",
    "wilder",
  );
  expect(early.stderr).toMatch(
    /\nmonotone-flows: .* at step \d+, in block \d+ \(monotone\); there is no checkpoint yet\n$/,
  );
  expect(early.code).toBe(1);
}, 180_000);

it("keeps model and checkpoint when the disk is full", {
  concurrent: true,
  skip: process.platform === "win32",
  timeout: 180_000,
}, async () => {
  await json(folder, "train", ...short, "--steps", "3", "--out", "kept");
  const keep = () =>
    snapshot(join(folder, "kept")).filter((line) => /^(model|checkpoint|flow|summary)/.test(line));
  const before = keep();
  const { code, stdout, stderr } = await runLimited(16, folder, "train", "--resume", "kept", "--steps", "6");
  expect(stderr.trim().split("\n").at(-1)).toMatch(
    /^monotone-flows: cannot write kept.checkpoint.step-00000006\.safetensors: the file would be larger than allowed$/,
  );
  expect(stdout).toBe("");
  expect(code).toBe(2);
  expect(keep()).toEqual(before);
  cpSync(join(folder, "kept"), join(folder, "copy"), { recursive: true });
  expect((await json(folder, "train", "--resume", "copy")).steps).toBe(6);
});

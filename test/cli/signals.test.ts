/** Signals during what takes long in a run of images: its tests, and a step of seconds. */
import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { idxHeader } from "../../src/data/images/idx.js";
import { checkpointAfter, newest } from "./checkpoints.js";
import { run, start, temporary } from "./cli.js";

const folder = temporary();
const at = (...names: string[]) => readFileSync(join(folder, ...names));

/** Writes images of noise into an IDX file. */
function images(name: string, count: number, size: number): string {
  const pixels = Uint8Array.from({ length: count * size * size }, (_, i) => (i * i) % 251);
  writeFileSync(join(folder, name), Buffer.concat([idxHeader([count, size, size]), pixels]));
  return name;
}

/** Waits until the process says something that matches. */
function says(child: ChildProcess, pattern: RegExp): Promise<void> {
  let said = "";
  return new Promise((resolve) => {
    child.stderr?.on("data", (data) => {
      said += data;
      if (pattern.test(said)) resolve();
    });
    child.on("close", () => resolve());
  });
}

/** The lines of metrics without their times. */
const metrics = (name: string) =>
  at(name, "metrics.jsonl")
    .toString()
    .split("\n")
    .filter(Boolean)
    .map((line) => ({ ...JSON.parse(line), seconds: 0 }));

/** What both runs should have in common. */
function expectSame(broken: string, whole: string): void {
  expect(at(broken, "model.safetensors").equals(at(whole, "model.safetensors"))).toBe(true);
  expect(metrics(broken)).toEqual(metrics(whole));
  const numbers = (name: string) => {
    const { testLoss, standardError, unconverged } = JSON.parse(at(name, "summary.json").toString());
    return { testLoss, standardError, unconverged };
  };
  expect(numbers(broken)).toEqual(numbers(whole));
}

async function train(...args: string[]): Promise<void> {
  const { code, stderr } = await run(folder, "train", ...args);
  expect(code, stderr).toBe(0);
}

const STOPPING = /^stopping with a checkpoint, .*; a second Ctrl-C ends at once, and loses .*$/gm;

// SIGHUP comes when a terminal is closed, and nothing can be written to that any more.
it.each(["SIGINT", "SIGHUP"] as const)(
  "ends the test of the model at a %s, and goes on to the same numbers",
  async (signal) => {
    const [whole, broken] = [`whole-${signal}`, `broken-${signal}`];
    const options = ["--data", images("small-ubyte", 10_000, 8), "--preset", "digits", "--batch", "4"];
    // A line of metrics ends with the last step, whatever its number is.
    options.push("--steps", "7", "--threads", signal === "SIGINT" ? "2" : "1");
    await train(...options, "--out", whole);

    const { child, end } = start(folder, "train", ...options, "--out", broken);
    await says(child, /step 7\/7/);
    if (signal === "SIGHUP") child.stderr?.destroy();
    child.kill(signal);
    const { code, stderr } = await end;
    if (signal === "SIGINT") {
      expect(stderr).toMatch(
        /\nmonotone-flows: stopped at step 7; go on with: monotone-flows train --resume/,
      );
      expect(stderr.match(STOPPING)).toHaveLength(1);
    }
    expect(code).toBe(1);
    expect(newest(join(folder, broken))).toBe("step-00000007.safetensors");
    expect(existsSync(join(folder, broken, "summary.json"))).toBe(false);

    await train("--resume", broken);
    expectSame(broken, whole);
  },
  120_000,
);

it("ends a test on the way at Ctrl-C, and makes it again", async () => {
  const options = ["--data", images("large-ubyte", 200, 28), "--preset", "mnist-small", "--batch", "2"];
  options.push("--steps", "12", "--threads", "1", "--checkpoint-every", "1");
  await train(...options, "--out", "whole");
  expect(metrics("whole").map(({ step }) => step)).toEqual([10, 12]);
  expect(metrics("whole")[0].testLoss).toBeGreaterThan(0);

  const { child, end } = start(folder, "train", ...options, "--out", "broken");
  // It is good, and written, when the tenth step is done; then comes the test.
  await checkpointAfter(8, join(folder, "broken"), child);
  child.kill("SIGINT");
  expect((await end).stderr).toMatch(/\nmonotone-flows: stopped at step 10; go on with: /);
  expect(metrics("broken")).toEqual([]);
  expect(newest(join(folder, "broken"))).toBe("step-00000010.safetensors");

  // What a process leaves that is killed when it has made the test again, before its next checkpoint.
  writeFileSync(
    join(folder, "broken", "metrics.jsonl"),
    at("whole", "metrics.jsonl").toString().split("\n", 1)[0],
  );
  await train("--resume", "broken");
  expectSame("broken", "whole");
  const sheet = (name: string) => at(name, "figures", "samples-step-10.png");
  expect(sheet("broken").equals(sheet("whole"))).toBe(true);
}, 120_000);

it("says during a step of seconds what Ctrl-C does, and ends at once at the second", async () => {
  const options = ["--data", "digits", "--batch", "6000", "--steps", "9", "--checkpoint-every", "1"];
  const { child, end } = start(folder, "train", ...options, "--out", "slow");
  await checkpointAfter(0, join(folder, "slow"), child);
  child.kill("SIGINT");
  await says(child, /stopping/);
  child.kill("SIGINT");
  const { code, stderr } = await end;
  expect(child.signalCode).toBe("SIGINT");
  expect(code).toBe(null);
  expect(stderr.match(STOPPING)).toEqual([
    expect.stringMatching(/after the step at hand .* loses the steps since the checkpoint of step 1$/),
  ]);
  expect(stderr).not.toMatch(/stopped/);
  expect(newest(join(folder, "slow"))).toBe("step-00000001.safetensors");
}, 120_000);

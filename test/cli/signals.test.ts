/** Signals to the process; what comes of them in the midst of a test is in `src/runs/train-run.test.ts`. */
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { checkpointAfter, newest, stepOf } from "./checkpoints.js";
import { start, startWith, temporary } from "./cli.js";

const folder = temporary();

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

const STOPPING = /^stopping with a checkpoint, .*; a second Ctrl-C ends at once, and loses .*$/gm;

// SIGHUP comes when a terminal is closed, and nothing can be written to that any more.
it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "leaves a checkpoint at a %s, whenever it comes",
  async (signal) => {
    const options = ["--data", "rings", "--batch", "50", "--steps", "1000000", "--checkpoint-every", "1"];
    const { child, end } = start(
      folder,
      "train",
      ...options,
      "--threads",
      signal === "SIGINT" ? "2" : "1",
      "--out",
      signal,
    );
    await checkpointAfter(2, join(folder, signal), child);
    if (signal === "SIGHUP") child.stderr?.destroy();
    child.kill(signal);
    const { code, stderr } = await end;
    const step = stepOf(newest(join(folder, signal)));
    expect(step).toBeGreaterThan(2);
    if (signal !== "SIGHUP") {
      expect(stderr).toContain(
        `\nmonotone-flows: stopped at step ${step}; go on with: monotone-flows train --resume`,
      );
      expect(stderr.match(STOPPING)).toHaveLength(1);
    }
    expect(code).toBe(1);
    expect(existsSync(join(folder, signal, "summary.json"))).toBe(false);
  },
  120_000,
);

it("ends at once at the second Ctrl-C, whatever it is doing", async () => {
  const options = ["--data", "rings", "--batch", "50", "--steps", "1000000", "--checkpoint-every", "1"];
  // From what it says at the first one on, it does nothing more: no step can end before the second one.
  const standstill = `--import=${new URL("standstill.mjs", import.meta.url).href}`;
  const { child, end } = startWith(
    { NODE_OPTIONS: standstill },
    folder,
    "train",
    ...options,
    "--out",
    "stands",
  );
  await checkpointAfter(0, join(folder, "stands"), child);
  child.kill("SIGINT");
  await says(child, /stopping/);
  child.kill("SIGINT");
  const { code, stderr } = await end;
  expect(child.signalCode).toBe("SIGINT");
  expect(code).toBe(null);
  const step = stepOf(newest(join(folder, "stands")));
  expect(stderr.match(STOPPING)).toEqual([
    expect.stringMatching(
      new RegExp(`after the step at hand .* loses the steps since the checkpoint of step ${step}$`),
    ),
  ]);
  expect(stderr).not.toMatch(/stopped/);
}, 120_000);

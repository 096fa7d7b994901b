/** Output that nobody reads, or that has no room: it never ends the work. */
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { program, temporary } from "./cli.js";

const folder = temporary();
const short = ["--data", "8gaussians", "--steps", "3", "--batch", "20", "--threads", "1"];
type Output = "pipe" | number;

/** Runs the program with these outputs, of which pipes have no reader; resolves to its exit code. */
function unread(args: string[], stdout: Output, stderr: Output): Promise<number | null> {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: folder,
    stdio: ["ignore", stdout, stderr],
  });
  child.stdout?.destroy();
  child.stderr?.destroy();
  return new Promise((resolve) => child.on("close", resolve));
}

it("trains to the end when stderr has no reader", async () => {
  expect(await unread(["train", ...short, "--out", "unread"], "pipe", "pipe")).toBe(0);
  expect(JSON.parse(readFileSync(join(folder, "unread", "summary.json"), "utf8")).steps).toBe(3);
  // As `sample | head`.
  expect(await unread(["sample", "unread", "-n", "20000"], "pipe", "pipe")).toBe(0);
});

it.skipIf(!existsSync("/dev/full"))("trains to the end when the disk of stderr is full", async () => {
  const full = openSync("/dev/full", "w");
  expect(await unread(["train", ...short, "--out", "full"], "pipe", full)).toBe(0);
  closeSync(full);
  expect(existsSync(join(folder, "full", "summary.json"))).toBe(true);
});

it.skipIf(process.platform === "win32")("says in one sentence that no more files can be opened", async () => {
  const child = spawn(
    "sh",
    ["-c", `ulimit -n 24; exec "$@"`, "sh", process.execPath, program, "train", ...short],
    {
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let stderr = "";
  child.stderr.on("data", (data) => {
    stderr += data;
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect(stderr).toMatch(
    /^monotone-flows: too many files are open \(EMFILE: [^\n]*; raise the limit[^\n]*\n$/,
  );
  expect(code).toBe(1);
});

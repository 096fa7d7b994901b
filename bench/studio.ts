/**
 * Training in the studio beside training on the command line: the same preset, seed and threads, in turn, in steps a
 * second between the same two steps; and the frames a second that the page shows meanwhile.
 *
 * Needs Chromium (at /usr/bin/chromium, or where CHROMIUM says) and the development packages, so it is a program of
 * its own: `npx tsx bench/studio.ts [rounds]` after `npm run build`.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { median } from "../src/plots/quantile.js";

const FROM = 500;
const TO = 3000;
/** Looking more often would hold up what is measured. */
const POLL_MS = 250;
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const program = join(import.meta.dirname, "../dist/src/cli/main.js");

interface Speed {
  readonly stepsPerSecond: number;
  /** The fewest frames a second that the page has shown. */
  readonly frames?: number;
}

async function commandLine(threads: number): Promise<Speed> {
  const folder = mkdtempSync(join(tmpdir(), "bench-studio-"));
  const out = join(folder, "run");
  const args = ["train", "--data", "2spirals", "--steps", `${TO}`, "--threads", `${threads}`, "--out", out];
  const child = spawn(process.execPath, [program, ...args, "--json"], { stdio: "ignore" });
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new Error(`train ended with code ${code}`);
  const at = new Map<number, number>();
  for (const line of readFileSync(join(out, "metrics.jsonl"), "utf8").trim().split("\n")) {
    const { step, seconds } = JSON.parse(line) as { step: number; seconds: number };
    at.set(step, seconds);
  }
  rmSync(folder, { recursive: true });
  const [from, to] = [at.get(FROM), at.get(TO)];
  if (from === undefined || to === undefined) throw new Error("metrics.jsonl lacks a step");
  return { stepsPerSecond: (TO - FROM) / (to - from) };
}

async function studio(address: string, threads: number, compare: boolean): Promise<Speed> {
  const browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-background-networking"],
  });
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await page.goto(`${address}#/train?threads=${threads}${compare ? "&compare=1" : ""}`);
  await page.getByRole("button", { name: "Train", exact: true }).click();
  const number = async (id: string) =>
    Number((await page.getByTestId(id).first().innerText()).replaceAll(",", ""));
  const passed = async (step: number, each: () => Promise<void>) => {
    for (;;) {
      const now = await number("step");
      if (now >= step) return { step: now, time: performance.now() };
      await each();
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  };
  const from = await passed(FROM, async () => {});
  let frames = Number.POSITIVE_INFINITY;
  const to = await passed(compare ? (FROM + TO) / 2 : TO, async () => {
    frames = Math.min(frames, (await number("frames")) || Number.POSITIVE_INFINITY);
  });
  await browser.close();
  return { stepsPerSecond: (1000 * (to.step - from.step)) / (to.time - from.time), frames };
}

const rounds = Number(process.argv[2] ?? 3);
const server = spawn(process.execPath, [program, "studio", "--port", "0", "--json"], {
  stdio: ["ignore", "pipe", "inherit"],
});
try {
  const address = await new Promise<string>((resolve) => {
    server.stdout.once("data", (data) => resolve((JSON.parse(`${data}`) as { address: string }).address));
  });
  for (const threads of [1, Math.min(2, availableParallelism())]) {
    const ratios: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      const command = await commandLine(threads);
      const page = await studio(address, threads, false);
      ratios.push(page.stepsPerSecond / command.stepsPerSecond);
      console.log(
        `${threads} threads, round ${round}: command line ${command.stepsPerSecond.toFixed(0)} steps/s, ` +
          `studio ${page.stepsPerSecond.toFixed(0)} steps/s, at least ${page.frames} frames/s`,
      );
    }
    console.log(`${threads} threads: the studio trains at ${(100 * median(ratios)).toFixed(0)}% (median)`);
  }
  const both = await studio(address, 1, true);
  console.log(`comparing: ${both.stepsPerSecond.toFixed(0)} steps/s each, at least ${both.frames} frames/s`);
} finally {
  server.kill("SIGINT");
}

/** The ranks of Node in a real browser: the same bits, and no waiting for ever. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { build, type PreviewServer, preview } from "vite";
import { afterAll, beforeAll, expect, it } from "vitest";
import { monotoneFlow } from "../../src/flows/monotone-flow.js";
import type { TrainingJob } from "../../src/training/job.js";
import { train } from "../../src/training/train.js";
import { rankPrograms } from "../support/rank-programs.js";
import { describeInChromium, launch } from "./chromium.js";
import type { Calls } from "./ranks/page.js";

const programs = await rankPrograms();

const root = fileURLToPath(new URL("ranks", import.meta.url));
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

const job: TrainingJob = {
  data: { kind: "toy", name: "2spirals" },
  declaration: monotoneFlow({ dim: 2, blocks: 4 }),
  options: { steps: 60, batch: 500, seed: 3, learningRate: 1e-3, l2: 1e-5 },
  state: null,
};

async function lossesInNode(ranks: number): Promise<number[]> {
  const losses: number[] = [];
  const onStep = (_: unknown, { loss }: { loss: number }) => {
    losses.push(loss);
  };
  await train(job, ranks, { onStep }, programs.training);
  return losses;
}

describeInChromium("ranks", {}, () => {
  const outDir = mkdtempSync(join(tmpdir(), "monotone-flows-page-"));
  const servers: PreviewServer[] = [];
  let browser: Browser;

  beforeAll(async () => {
    const common = { root, configFile: false, logLevel: "error" } as const;
    await build({ ...common, worker: { format: "es" }, build: { outDir, minify: false } });
    for (const headers of [ISOLATION, {}]) {
      servers.push(
        await preview({ ...common, build: { outDir }, preview: { host: "127.0.0.1", port: 0, headers } }),
      );
    }
    browser = await launch();
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await Promise.all(servers.map((server) => server.close()));
    rmSync(outDir, { recursive: true, force: true });
  });

  /** A new page, with or without shared memory. */
  async function open(isolated: boolean): Promise<Page> {
    const page = await browser.newPage();
    await page.goto(servers[isolated ? 0 : 1].resolvedUrls?.local[0] ?? "");
    await page.waitForFunction("globalThis.calls");
    return page;
  }

  /** Calls a function of the page. */
  function call<Name extends keyof Calls>(
    page: Page,
    name: Name,
    ...args: Parameters<Calls[Name]>
  ): Promise<Awaited<ReturnType<Calls[Name]>>> {
    return page.evaluate(`calls.${name}(...${JSON.stringify(args)})`);
  }

  it("trains to the bits of Node, with and without Atomics.waitAsync, and lets the page go on", async () => {
    const page = await open(true);
    const expected = await lossesInNode(2);
    const result = await call(page, "trainLosses", job, 2);
    expect(result.remark).toBeNull();
    expect(result.losses).toEqual(expected);
    expect(result.turns).toBeGreaterThan(3);
    await call(page, "forgetWaitAsync");
    expect((await call(page, "trainLosses", job, 2)).losses).toEqual(expected);
  });

  it("maps rows to the bits of one rank", async () => {
    const page = await open(true);
    expect(await call(page, "mapRows", job, 2)).toEqual({ ranks: 2, same: true });
  });

  it.each([
    ["throws", "rank 1 of 2 died: this rank throws"],
    ["closes itself", "rank 1 of 2 died: its thread has ended"],
    ["is not there", "rank 1 of 2 died: its program cannot be loaded"],
  ] as const)("ends with an error when a rank %s", async (death, message) => {
    expect(await call(await open(true), "deathOf", job, death)).toBe(message);
  });

  it("works with one rank, and says why, in a page that is not cross-origin isolated", async () => {
    const page = await open(false);
    const { losses, remark } = await call(page, "trainLosses", job, 2);
    expect(remark).toMatch(/not cross-origin isolated.*Cross-Origin-Opener-Policy/);
    expect(losses).toEqual(await lossesInNode(1));
    expect(await call(page, "mapRows", job, 2)).toEqual({ ranks: 1, same: true });
  });
});

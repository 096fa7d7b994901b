/** Images sampled in the browser: the digits of the package, and models that are opened. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { decodeFlow, encodeFlow } from "../../src/flows/model-encoding.js";
import { run, temporary } from "../cli/cli.js";
import { type Studio, startStudio } from "../cli/studio.js";
import { describeInChromium, launch, openPage, PATIENCE } from "./chromium.js";

/** The models that come along with the studio. */
const shipped = (name: string) => fileURLToPath(new URL(`../../studio/public/${name}`, import.meta.url));
const filesOf = (folder: string) =>
  ["flow.json", "model.safetensors", "config.json"].map((name) => join(folder, name));

describeInChromium("the studio's images", { timeout: 120_000 }, () => {
  const folder = temporary();
  const said: string[] = [];
  let studio: Studio;
  let browser: Browser;

  beforeAll(async () => {
    studio = await startStudio(folder);
    browser = await launch();
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    await studio?.end();
  });

  const openStudio = (path: string) => openPage(browser, studio.address + path, said);
  const drawn = (page: Page, count: number) =>
    page
      .getByTestId("drawn")
      .filter({ hasText: `${count} images of 8 × 8 pixels` })
      .waitFor();
  const saved = async (page: Page, name: string) => {
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name, exact: true }).click(),
    ]);
    return readFileSync(await download.path());
  };

  it("draws the digits that the command line draws, others with another seed, and saves them", async () => {
    const page = await openStudio("#/images?count=20&seed=4");
    await drawn(page, 20);
    await page.getByText("500 steps, 17 levels").waitFor();
    const pixels = (await saved(page, "Pixels as CSV")).toString();
    const options = ["-n", "20", "--seed", "4", "--threads", "1", "--out", "digits.csv"];
    const { code, stderr } = await run(folder, "sample", shipped("digits"), ...options);
    expect(code, stderr).toBe(0);
    expect(pixels).toBe(readFileSync(join(folder, "digits.csv"), "utf8"));

    const png = await saved(page, "Save digits-samples-4 as PNG");
    expect(png.subarray(1, 4).toString()).toBe("PNG");
    await page.getByRole("button", { name: "Draw others" }).click();
    await expect.poll(() => page.url(), { timeout: PATIENCE }).toMatch(/seed=5/);
    await page.getByTestId("drawn").filter({ hasText: "20 images" }).waitFor();
    expect((await saved(page, "Pixels as CSV")).toString()).not.toBe(pixels);

    // All latents are 0 then, and all images one.
    await page.getByRole("slider", { name: "Temperature" }).fill("0");
    await drawn(page, 20);
    const rows = (await saved(page, "Pixels as CSV")).toString().trim().split("\n").slice(1);
    expect(rows).toHaveLength(20);
    expect(new Set(rows).size).toBe(1);
  });

  it("opens a model on the page of its kind, and says what is wrong with a bad one", async () => {
    const page = await openStudio("#/images");
    const input = page.getByLabel("Model files");
    await input.setInputFiles(filesOf(shipped("example")));
    await page.getByRole("heading", { name: "See inside" }).waitFor();
    await input.setInputFiles(filesOf(shipped("digits")));
    await page.getByRole("heading", { name: "Samples of the model" }).waitFor();
    await drawn(page, 64);
    expect(page.url()).toMatch(/#\/images\?model=opened$/);

    const [flow, weights] = filesOf(shipped("digits")).map((file) => readFileSync(file));
    const file = (name: string, buffer: Buffer) => ({ name, mimeType: "application/octet-stream", buffer });
    await input.setInputFiles([
      file("flow.json", flow),
      file("model.safetensors", weights.subarray(0, 50_000)),
    ]);
    await page.getByRole("alert").filter({ hasText: "model.safetensors is cut short" }).waitFor();

    // The weights know better than the configuration, which says how many steps there were to be.
    const stopped = await decodeFlow({ declaration: flow, weights });
    stopped.steps = 120;
    const encoded = encodeFlow(stopped);
    await input.setInputFiles([
      file("flow.json", Buffer.from(encoded.declaration)),
      file("model.safetensors", Buffer.from(encoded.weights)),
      file("config.json", readFileSync(filesOf(shipped("digits"))[2])),
    ]);
    await page.getByText("120 steps, 17 levels").waitFor();
    await page.getByRole("combobox", { name: "Model" }).selectOption("digits");
    await page.getByRole("heading", { name: "Samples of digits" }).waitFor();
    await drawn(page, 64);
    expect(said).toEqual([]);
  });
});

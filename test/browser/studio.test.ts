/** The studio in a real browser, served by the built program. */
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { unzipSync } from "fflate";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { type PreviewServer, preview } from "vite";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { json, temporary, writeTable } from "../cli/cli.js";
import { type Studio, startStudio } from "../cli/studio.js";
import { axe, describeInChromium, launch, openPage, PATIENCE } from "./chromium.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

describeInChromium("the studio", { timeout: 120_000 }, () => {
  const folder = temporary();
  let studio: Studio;
  let plain: PreviewServer;
  let browser: Browser;
  /** What the console of the pages of a test has said, apart from what a test expects. */
  let said: string[] = [];

  beforeAll(async () => {
    studio = await startStudio(folder);
    // As another web server would: without isolation headers.
    const outDir = join(root, "dist/studio");
    plain = await preview({
      root,
      configFile: false,
      logLevel: "error",
      build: { outDir },
      preview: { host: "127.0.0.1", port: 0 },
    });
    browser = await launch();
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    await plain?.close();
    await studio?.end();
  });

  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    expect(said).toEqual([]);
  });

  async function open(
    path: string,
    options: BrowserContextOptions = {},
    address = studio.address,
  ): Promise<Page> {
    said = [];
    return await openPage(browser, address + path, said, options);
  }

  const button = (page: Page, name: string | RegExp) => page.getByRole("button", { name, exact: true });

  /** The number that an element shows, once it satisfies the condition. (Functions that wait in the page need `eval`.) */
  async function waitFor(page: Page, testId: string, satisfied: (value: number) => boolean): Promise<void> {
    await expect
      .poll(
        async () => {
          const text = await page.getByTestId(testId).innerText();
          return satisfied(text === "" ? Number.NaN : Number(text.replaceAll(",", "")));
        },
        { timeout: PATIENCE, message: testId },
      )
      .toBe(true);
  }
  const atLeast = (least: number) => (value: number) => value >= least;

  const step = async (page: Page) => Number((await page.getByTestId("step").innerText()).replaceAll(",", ""));

  it("trains 2spirals, pauses, steps, and saves a model that evaluate accepts with the same loss", async () => {
    const page = await open("#/train?threads=2");
    await button(page, "Train").click();
    await waitFor(page, "loss", (loss) => loss < 3.2);
    expect(Number(await page.getByTestId("first-picture").textContent())).toBeLessThan(PATIENCE);
    await page.getByRole("slider", { name: "Learning rate" }).fill("-3.5");
    await button(page, "Pause").click();
    await button(page, "Go on").waitFor();
    // The step that was under way when the button was pressed ends first.
    let last = -1;
    await expect
      .poll(
        async () => {
          const before = last;
          last = await step(page);
          return last === before;
        },
        { interval: 300 },
      )
      .toBe(true);
    const before = await step(page);
    await button(page, "Step").click();
    await waitFor(page, "step", atLeast(before + 1));
    expect(await step(page)).toBe(before + 1);

    const download = page.waitForEvent("download");
    await button(page, "Model").click();
    const file = await download;
    expect(file.suggestedFilename()).toBe("2spirals-monotone.zip");
    const zip = join(folder, "2spirals-monotone.zip");
    await file.saveAs(zip);
    const files = unzip(zip, folder);
    expect(files).toContain("2spirals-monotone/model.safetensors");
    const { testLoss } = JSON.parse(readFileSync(join(folder, "2spirals-monotone/summary.json"), "utf8"));
    const evaluated = await json(folder, "evaluate", "2spirals-monotone");
    expect(evaluated.testLoss).toBeCloseTo(testLoss, 5);
    expect(evaluated.testLoss).toBeLessThan(3.3);
    const { training } = JSON.parse(readFileSync(join(folder, "2spirals-monotone/config.json"), "utf8"));
    expect(training.schedule).toHaveLength(1);
    expect(training.schedule[0].from).toBeLessThanOrEqual(before);
    expect(training.schedule[0].factor).toBeCloseTo(10 ** -0.5, 2);
  });

  it("compares residual and monotone with the same steps", async () => {
    const page = await open("#/train?compare=1&data=8gaussians");
    await button(page, "Train").click();
    await waitFor(page, "step", atLeast(60));
    await button(page, "Pause").click();
    const [residual, monotone] = await Promise.all(
      ["Residual loss", "Monotone loss"].map(async (id) => Number(await page.getByTestId(id).innerText())),
    );
    expect(monotone).toBeLessThan(residual);
    await page.getByRole("heading", { name: "Residual density" }).waitFor();
    await page.getByRole("heading", { name: "Monotone density" }).waitFor();
  });

  it("carries points through the blocks when the slider is dragged", async () => {
    const page = await open("#/inside");
    const slider = page.getByRole("slider", { name: "Way from x to z" });
    await slider.waitFor();
    const box = await slider.boundingBox();
    if (!box) throw new Error("the slider is not shown");
    await page.mouse.move(box.x + 8, box.y + box.height / 2);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2, { steps: 5 });
    await page.mouse.up();
    const value = Number(await slider.inputValue());
    expect(value).toBeGreaterThan(4);
    expect(value).toBeLessThan(6);
    await page.getByRole("heading", { name: `${value} of 10 blocks passed` }).waitFor();
    await slider.press("End");
    await page.getByRole("heading", { name: "the latents z" }).waitFor();
    expect(await page.locator(".blocks tbody tr").count()).toBe(10);

    const point = page.getByRole("slider", { name: "Point", exact: true });
    const plot = await page.locator(".inside .plot-pointer").boundingBox();
    if (!plot) throw new Error("the plot is not shown");
    await page.mouse.move(plot.x + plot.width / 2, plot.y + plot.height / 2, { steps: 3 });
    await expect.poll(() => point.inputValue()).not.toBe("0");
    expect(Number((await page.getByTestId("round-trip").innerText()).replace("−", "-"))).toBeLessThan(1e-4);
    // What is shown of log p(x) adds up to it, digit by digit.
    const [total, ...terms] = [
      ...(await page.getByTestId("log-prob").allInnerTexts()),
      ...(await page.getByTestId("term").allInnerTexts()),
    ].map((text) => Math.round(1e4 * Number(text.replace("−", "-"))));
    expect(terms).toHaveLength(11);
    expect(terms.reduce((sum, term) => sum + term)).toBe(total);
  });

  it("takes a dropped table, and says what is wrong with bad ones", async () => {
    const page = await open("#/train");
    const good = readFileSync(writeTable(join(folder, "good.csv"), { columns: 3 }), "utf8");
    await drop(page, "good.csv", good);
    await page.getByText("120 rows of good.csv").waitFor();
    await page.getByRole("combobox", { name: "Vertical" }).selectOption({ label: "c3" });
    await page.getByRole("heading", { name: "Data", exact: true, level: 2 }).last().waitFor();
    await button(page, "Train").click();
    await waitFor(page, "step", atLeast(5));
    await button(page, "Reset").click();

    await drop(page, "bad.csv", "a,b\n1,2\n3,nan\n4,5\n");
    await page.getByText('bad.csv, row 3, column "b": the number is NaN').waitFor();
    await button(page, "Train").click();
    await page.getByRole("alert").filter({ hasText: "No file is open" }).waitFor();
    await drop(page, "words.csv", "name,town\nAda,London\nEmmy,Erlangen\n");
    await page.getByText("words.csv has no columns of numbers; two are needed.").waitFor();
    await drop(page, "picture.jpg", "no table");
    await page.getByText("picture.jpg is neither a table").waitFor();
    const huge = join(folder, "huge.csv");
    writeFileSync(huge, "a,b\n");
    truncateSync(huge, 150_000_000);
    await page.getByLabel("CSV file").setInputFiles(huge);
    await page.getByText("huge.csv has 150 MB; up to 100 MB are read here").waitFor();
  });

  it("trains on a drawing, and its model brings the data along", async () => {
    const page = await open("#/train?data=drawing&blocks=2&batch=100");
    await page.getByText("Draw something first").waitFor();
    const field = await page.locator(".plot-pointer.drag").boundingBox();
    if (!field) throw new Error("the field is not shown");
    const at = (x: number, y: number) => [field.x + x * field.width, field.y + y * field.height] as const;
    await page.mouse.move(...at(0.3, 0.3));
    await page.mouse.down();
    await page.mouse.move(...at(0.7, 0.4), { steps: 20 });
    await page.mouse.move(...at(0.4, 0.7), { steps: 20 });
    await page.mouse.up();
    await button(page, "Train").click();
    await waitFor(page, "step", atLeast(20));
    await button(page, "Pause").click();
    const download = page.waitForEvent("download");
    await button(page, "Model").click();
    const zip = join(folder, "drawing.zip");
    await (await download).saveAs(zip);
    unzip(zip, folder);
    const { testLoss } = JSON.parse(readFileSync(join(folder, "drawing-monotone/summary.json"), "utf8"));
    expect((await json(folder, "evaluate", "drawing-monotone")).testLoss).toBeCloseTo(testLoss, 5);
  });

  it("opens a model that the command line has trained", async () => {
    await json(folder, "train", "--data", "moons", "--steps", "40", "--out", "moons-run");
    const { testLoss } = await json(folder, "evaluate", "moons-run");
    const page = await open("#/inside");
    const files = ["flow.json", "model.safetensors", "config.json"].map((name) =>
      join(folder, "moons-run", name),
    );
    await page.getByLabel("Model files").setInputFiles(files);
    await page.getByText("40 steps").waitFor();
    await button(page, "Test it").click();
    const result = page.getByTestId("tested").filter({ hasText: "Test loss" });
    await result.waitFor();
    expect(Number(/Test loss ([\d.]+)/.exec(await result.innerText())?.[1])).toBeCloseTo(testLoss, 3);

    await page.getByLabel("Model files").setInputFiles(files.slice(0, 1));
    await page.getByText("model.safetensors is missing").waitFor();
    await page.getByRole("combobox", { name: "Model" }).selectOption("example");
    await page.getByText("40 steps").waitFor({ state: "detached" });
    await page.locator(".blocks").waitFor();
    expect(page.url()).toMatch(/model=example$/);
  });

  it("says so when the worker that trains dies, and goes on from where it was", async () => {
    const page = await open("#/train?blocks=2&batch=100&threads=1");
    await button(page, "Train").click();
    await waitFor(page, "step", atLeast(10));
    // A pause tells the page where training can go on from.
    await button(page, "Pause").click();
    await button(page, "Go on").click();
    const before = await step(page);
    const worker = page.workers().find((each) => each.url().includes("training-worker"));
    await worker?.evaluate("self.close()").catch(() => {});
    await page.getByRole("alert").filter({ hasText: "The worker that trains has ended" }).waitFor();
    await button(page, /^Go on from step \d+$/).click();
    await button(page, "Go on").click();
    await waitFor(page, "step", atLeast(before + 20));
  });

  it("trains with one thread, and says why, where there is no shared memory", async () => {
    const page = await open("#/train?blocks=2&batch=100&threads=2", {}, plain.resolvedUrls?.local[0]);
    await page.getByText("This page is not cross-origin isolated, so one thread trains").waitFor();
    await button(page, "Train").click();
    await waitFor(page, "step", atLeast(10));
  });

  it("keeps its settings in the address", async () => {
    const page = await open("#/train");
    await page.getByRole("combobox", { name: "Density" }).selectOption("rings");
    await page.getByRole("spinbutton", { name: "Growth" }).fill("24");
    await expect.poll(() => page.url()).toMatch(/#\/train\?data=rings&growth=24$/);
    await page.reload();
    expect(await page.getByRole("spinbutton", { name: "Growth" }).inputValue()).toBe("24");
    await page.getByText("The code that repeats these settings").click();
    await page.getByText('toySource("rings")').waitFor();
    await page.getByText("growth: 24,").waitFor();
  });

  it("saves pictures as PNG and SVG", async () => {
    const page = await open("#/train");
    const saved = await Promise.all([
      page.waitForEvent("download"),
      button(page, "Save 2spirals-data as SVG").click(),
    ]);
    const svg = readFileSync(await saved[0].path(), "utf8");
    expect(svg).toMatch(/^<svg xmlns.*<image .*href="data:image\/png;base64,.*<\/svg>$/s);
    const [png] = await Promise.all([
      page.waitForEvent("download"),
      button(page, "Save 2spirals-data as PNG").click(),
    ]);
    expect(
      readFileSync(await png.path())
        .subarray(1, 4)
        .toString(),
    ).toBe("PNG");
  });

  it.each(["light", "dark"] as const)("is accessible on every page (%s)", async (colorScheme) => {
    const page = await open("", { colorScheme });
    const links = await page
      .locator("a.card")
      .evaluateAll((all) => all.map((a) => a.getAttribute("href") ?? ""));
    expect(links.length).toBeGreaterThanOrEqual(2);
    await page.evaluate(axe);
    for (const path of ["#/", ...links, "#/train?compare=1", "#/train?data=drawing", "#/nowhere"]) {
      await visit(page, path);
      await page
        .evaluate(`if (!globalThis.axe) (0, eval)(${JSON.stringify(axe)})`)
        .catch(() => page.evaluate(axe));
      const found = (await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")) as {
        violations: { id: string; nodes: { html: string }[] }[];
      };
      const violations = found.violations.map(({ id, nodes }) => `${path} ${id}: ${nodes[0].html}`);
      expect(violations).toEqual([]);
    }
  });

  it("does not scroll sideways on a phone", async () => {
    const page = await open("", { viewport: { width: 360, height: 740 } });
    const links = await page
      .locator("a.card")
      .evaluateAll((all) => all.map((a) => a.getAttribute("href") ?? ""));
    for (const path of ["#/", ...links, "#/train?compare=1", "#/train?data=drawing"]) {
      await visit(page, path);
      expect(
        await page.evaluate("document.documentElement.scrollWidth - innerWidth"),
        path,
      ).toBeLessThanOrEqual(0);
    }
  });

  /** Goes to a page and waits for it. */
  async function visit(page: Page, path: string): Promise<void> {
    await page.evaluate(`location.hash = ${JSON.stringify(path)}`);
    await page.locator("main h1").first().waitFor();
    if (path.startsWith("#/inside")) await page.locator(".blocks").waitFor();
    await page.evaluate(
      "new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))",
    );
  }
});

/** Unpacks a ZIP file into a folder; returns the names of what was in it. */
function unzip(file: string, folder: string): string[] {
  const files = Object.entries(unzipSync(readFileSync(file)));
  for (const [name, content] of files) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return files.map(([name]) => name);
}

/** Drops a file of that content on the page. */
async function drop(page: Page, name: string, content: string): Promise<void> {
  await page.evaluate(`(() => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([${JSON.stringify(content)}], ${JSON.stringify(name)}));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
  })()`);
}

/** The pages of the ideas in a real browser: what their main control changes, on every size and in both themes. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { temporary } from "../cli/cli.js";
import { type Studio, startStudio } from "../cli/studio.js";
import { axe, describeInChromium, launch, openPage, PATIENCE } from "./chromium.js";

const slider = (page: Page, name: string) => page.getByRole("slider", { name, exact: true });
const picture = (page: Page, name: RegExp) => page.getByRole("img", { name });

/** What each page does when its main control is moved. */
const moves: Record<string, (page: Page) => Promise<void>> = {
  async counterexample(page) {
    await picture(
      page,
      /G of slope 5\.0, x \+ G\(x\) of slope 6\.0, and its inverse of slope 0\.167/,
    ).waitFor();
    await slider(page, "Factor a of G(x) = a x").fill("-1");
    await picture(page, /and no inverse/).waitFor();
    await picture(page, /There is no solution, and no distance from it/).waitFor();
    expect(page.url()).toMatch(/factor=-1$/);
    await page.getByText("x + G(x) is invertible: no").waitFor();
  },
  async monotonicity(page) {
    await picture(page, /cone of slopes 0\.11 to 9\.00; drawn slopes/).waitFor();
    await slider(page, "Bound L on Lip(G)").fill("0.5");
    const shown = picture(page, /cone of slopes 0\.33 to 3\.00; drawn slopes/);
    await shown.waitFor();
    const [least, greatest] = /slopes from ([\d.]+) to ([\d.]+)/
      .exec((await shown.getAttribute("aria-label")) ?? "")
      ?.slice(1)
      .map(Number) ?? [0, 9];
    expect(least).toBeGreaterThanOrEqual(0.33);
    expect(greatest).toBeLessThanOrEqual(3);
  },
  async construction(page) {
    await picture(page, /The monotone F with slopes/).waitFor();
    const shape = () => page.locator(".curve.series-2").getAttribute("d");
    const before = await shape();
    await slider(page, "Height of the point").press("PageUp");
    await expect.poll(shape).not.toBe(before);
    await page.getByRole("button", { name: "Turn back to G" }).click();
    await picture(page, /mirrored and turned by [012]?\d degrees/).waitFor();
  },
  async power(page) {
    // Far outside the residual ball, inside the monotone one.
    await picture(page, /residual out of reach.*monotone reached/).waitFor();
    await slider(page, "Bound L on Lip(G)").fill("0.3");
    await picture(page, /L = 0\.30.*monotone out of reach/).waitFor();
    const plot = await page.locator(".plot-pointer").boundingBox();
    if (!plot) throw new Error("the plot is not shown");
    await page.mouse.click(plot.x + 0.6 * plot.width, plot.y + 0.3 * plot.height);
    await expect.poll(() => page.url()).toMatch(/q1=/);
  },
  async activations(page) {
    await picture(page, /CPila 0\.\d+ at depth 1, .*CLipSwish.*CReLU/).waitFor();
    await page.getByRole("checkbox", { name: "tanh" }).check();
    await picture(page, /^Value of CPila, CLipSwish, CReLU, tanh$/).waitFor();
  },
  async staircase(page) {
    await page.getByRole("button", { name: "Train", exact: true }).click();
    const step = async () => Number(await page.getByTestId("staircase-step").innerText());
    await expect.poll(step, { timeout: PATIENCE }).toBeGreaterThan(5);
    await page.getByRole("button", { name: "Pause" }).click();
    await picture(page, /2 monotone blocks, actnorm: mean squared error 0\.\d+ after \d+ steps/).waitFor();
    await page.getByRole("button", { name: "Reset" }).click();
    await expect.poll(step).toBe(0);
  },
};

describeInChromium("the ideas", { timeout: 120_000 }, () => {
  let studio: Studio;
  let browser: Browser;

  beforeAll(async () => {
    studio = await startStudio(temporary());
    browser = await launch();
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    await studio?.end();
  });

  it.each(Object.entries(moves))("%s follows its control, in every form", async (name, move) => {
    const said: string[] = [];
    const page = await openPage(browser, `${studio.address}#/ideas/${name}`, said, {
      colorScheme: "light",
    });
    await move(page);
    await page.evaluate(axe);
    for (const [colorScheme, width] of [
      ["light", 1280],
      ["dark", 1280],
      ["dark", 360],
    ] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      // Colours change over a frame or two.
      await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
      await expect
        .poll(() => page.evaluate("document.getAnimations().length"), { timeout: PATIENCE })
        .toBe(0);
      const { violations } = (await page.evaluate(
        "axe.run(document.querySelector('main'), { resultTypes: ['violations'] })",
      )) as { violations: { id: string; nodes: { html: string }[] }[] };
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`)).toEqual([]);
      const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      expect(overflow, `${width} pixels`).toBeLessThanOrEqual(0);
      const cut = await page.evaluate(
        "[...document.querySelectorAll('.formula.block')].filter((f) => f.scrollWidth > f.clientWidth).map((f) => f.textContent)",
      );
      expect(cut, `${width} pixels`).toEqual([]);
    }
    expect(said).toEqual([]);
    await page.context().close();
  });
});

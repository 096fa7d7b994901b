/** The studio where a browser lacks something or does not let it run. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { temporary } from "../cli/cli.js";
import { type Studio, startStudio } from "../cli/studio.js";
import { KEEPING_AWAKE, Tab } from "./background-tab.js";
import { describeInChromium, launch, openPage, PATIENCE } from "./chromium.js";

describeInChromium("the studio under hard conditions", { timeout: 120_000 }, () => {
  let studio: Studio;
  let browser: Browser | null = null;

  beforeAll(async () => {
    studio = await startStudio(temporary());
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    await studio?.end();
  });

  it("says on every page that a browser without WebAssembly SIMD cannot compute", async () => {
    // V8 has no SIMD on a processor without these instructions.
    browser = await launch(["--js-flags=--no-enable-sse4-1"]);
    const said: string[] = [];
    const page = await openPage(browser, studio.address, said);
    const links = await page
      .locator("a.card")
      .evaluateAll((all) => all.map((a) => a.getAttribute("href") ?? ""));
    const missing = page.getByText("This browser has no WebAssembly SIMD");
    for (const path of ["#/", ...links]) {
      await page.evaluate(`location.hash = ${JSON.stringify(path)}`);
      await page.locator("main h1").waitFor();
      expect(await missing.count(), path).toBe(1);
    }
    // The pages that compute say so where they do, and can be left again.
    const failure = page.getByRole("alert").filter({ hasText: "has no WebAssembly SIMD" });
    await page.goto(`${studio.address}#/inside`);
    await failure.waitFor();
    await page.goto(`${studio.address}#/train`);
    await page.getByRole("button", { name: "Train", exact: true }).click();
    await failure.waitFor();
    await page.getByRole("button", { name: "Reset" }).click();
    await failure.waitFor({ state: "detached" });
    expect(said).toEqual([]);
    await browser.close();
  });

  it("trains on in a hidden tab, stands a frozen one, and is up to date when it is shown again", async () => {
    browser = await launch([], { ignoreDefaultArgs: KEEPING_AWAKE });
    const { tab, other } = await Tab.open(browser, `${studio.address}#/train?blocks=2&batch=100&threads=1`);
    const wait = (what: () => Promise<unknown>) => expect.poll(what, { timeout: PATIENCE, interval: 200 });
    const visibility = () => tab.evaluate<string>("document.visibilityState");
    const step = () =>
      tab.evaluate<number>(
        "Number(document.querySelector('[data-testid=step]')?.innerText.replaceAll(',', ''))",
      );
    const picture = () => tab.evaluate<string>("document.querySelectorAll('canvas')[1].toDataURL()");
    const press = () => tab.evaluate("document.querySelector('button.primary').click()");
    const label = () => tab.evaluate<string>("document.querySelector('button.primary').innerText");

    await tab.show();
    await wait(visibility).toBe("visible");
    await wait(() => tab.evaluate("document.querySelector('button.primary') !== null")).toBe(true);
    const empty = await picture();
    await press();
    await wait(step).toBeGreaterThan(20);
    await wait(picture).not.toBe(empty);

    await other.show();
    await wait(visibility).toBe("hidden");
    const hiddenAt = await step();
    const before = await picture();
    await wait(step).toBeGreaterThan(hiddenAt + 100);
    await tab.evaluate(
      "window.lived = []; for (const kind of ['freeze', 'resume']) document.addEventListener(kind, () => lived.push(kind))",
    );
    await tab.freeze();

    await tab.show();
    await wait(visibility).toBe("visible");
    expect(await tab.evaluate("lived")).toEqual(["freeze", "resume"]);
    const shownAt = await step();
    await wait(picture).not.toBe(before);
    await wait(step).toBeGreaterThan(shownAt + 20);
    await press();
    await wait(label).toBe("Go on");
    expect(await tab.evaluate("document.querySelector('[role=alert]')?.innerText ?? null")).toBeNull();
  });
});

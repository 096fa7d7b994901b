/** The browser of the tests, and pages whose console is listened to. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import {
  type Browser,
  type BrowserContextOptions,
  chromium,
  type LaunchOptions,
  type Page,
} from "playwright-core";
import { describe, type TestOptions } from "vitest";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const missing = !existsSync(executablePath);

/** A loaded machine may be slow; nothing here waits for longer than it has to. */
export const PATIENCE = 45_000;

/** The checks of accessibility, as a program for the page. */
export const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Tests that are left out, which their title says, where there is no browser. */
export function describeInChromium(what: string, options: TestOptions, tests: () => void): void {
  const title = `${what} in Chromium${missing ? ` (skipped: there is no ${executablePath})` : ""}`;
  describe.skipIf(missing)(title, options, tests);
}

export function launch(args: string[] = [], options: LaunchOptions = {}): Promise<Browser> {
  const all = ["--no-sandbox", "--disable-background-networking", ...args];
  return chromium.launch({ executablePath, args: all, ...options });
}

/** Opens a page; what its console says, and what nobody has caught, is added to `said`. */
export async function openPage(
  browser: Browser,
  address: string,
  said: string[],
  options: BrowserContextOptions = {},
): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.on("console", (message) => said.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => said.push(`uncaught: ${error.message}`));
  await page.goto(address);
  await page.locator("main h1").waitFor();
  return page;
}

/**
 * Tabs that can be hidden. Playwright keeps each page that it knows of awake and visible, so these stand in a context of
 * their own that it does not know, and are spoken to by the browser's protocol alone.
 */
import type { Browser, CDPSession } from "playwright-core";

/** Without these the browser treats hidden tabs as it does on everybody's desk. */
export const KEEPING_AWAKE = [
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
  "--disable-background-timer-throttling",
];

export class Tab {
  readonly #browser: CDPSession;
  readonly #target: string;
  readonly #session: string;
  readonly #open = new Map<number, (answer: { result?: object; error?: { message: string } }) => void>();
  #calls = 0;

  /** Opens a window of two tabs: this one, which is hidden to begin with, and an empty one before it. */
  static async open(browser: Browser, address: string): Promise<{ tab: Tab; other: Tab }> {
    const session = await browser.newBrowserCDPSession();
    const { browserContextId } = await session.send("Target.createBrowserContext");
    const create = async (url: string) => {
      const { targetId } = await session.send("Target.createTarget", { url, browserContextId });
      const { sessionId } = await session.send("Target.attachToTarget", { targetId });
      return new Tab(session, targetId, sessionId);
    };
    return { tab: await create(address), other: await create("about:blank") };
  }

  private constructor(browser: CDPSession, target: string, session: string) {
    this.#browser = browser;
    this.#target = target;
    this.#session = session;
    browser.on("Target.receivedMessageFromTarget", ({ sessionId, message }) => {
      if (sessionId !== session) return;
      const answer = JSON.parse(message);
      this.#open.get(answer.id)?.(answer);
    });
  }

  async #send(method: string, params: object = {}): Promise<object> {
    const id = this.#calls++;
    const message = JSON.stringify({ id, method, params });
    const answer = new Promise<{ result?: object; error?: { message: string } }>((resolve) =>
      this.#open.set(id, resolve),
    );
    await this.#browser.send("Target.sendMessageToTarget", { sessionId: this.#session, message });
    const { result, error } = await answer;
    if (!result) throw new Error(`${method}: ${error?.message}`);
    return result;
  }

  /** The value of an expression in the page. */
  async evaluate<Value>(expression: string): Promise<Value> {
    const { result } = (await this.#send("Runtime.evaluate", { expression, returnByValue: true })) as {
      result: { value: Value };
    };
    return result.value;
  }

  /** Brings it before the other tabs of its window. */
  async show(): Promise<void> {
    await this.#browser.send("Target.activateTarget", { targetId: this.#target });
  }

  /** What a browser does to a hidden tab after some minutes: nothing in it runs. */
  async freeze(): Promise<void> {
    await this.#send("Page.setWebLifecycleState", { state: "frozen" });
  }
}

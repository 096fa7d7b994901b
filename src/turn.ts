/** Lets timers, signals, messages and a page's drawing have their turn, and goes on as soon as they have had it. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") {
      setImmediate(resolve);
      return;
    }
    // Timers would wait 4 ms in a browser; messages do not.
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** Work may go on for this long before the others get their turn. */
const TURN_MS = 30;

/** Gives a turn when the last one is long ago; to be called often. */
export class Turns {
  #last = performance.now();

  async give(): Promise<void> {
    if (performance.now() - this.#last < TURN_MS) return;
    await turn();
    this.#last = performance.now();
  }
}

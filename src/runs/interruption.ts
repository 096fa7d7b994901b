/**
 * SIGINT (Ctrl-C), SIGTERM and SIGHUP (the terminal is gone) while a run is trained. The first one asks to stop at the
 * next good place; a second one of its kind does what it does by default, and ends the process at once.
 */
import type { Flow } from "../flows/flow.js";

/** The signals that ask a process to end; `SIGKILL` cannot be heard. */
export const endingSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

class Interrupted extends Error {}

export class Interruption {
  #heard = false;
  readonly #listener: () => void;

  /** `onFirst` is called at the first signal. */
  constructor(onFirst: () => void) {
    this.#listener = () => {
      if (!this.#heard) onFirst();
      this.#heard = true;
    };
  }

  /** Whether there was a signal. */
  get heard(): boolean {
    return this.#heard;
  }

  listen(): void {
    // One of each kind: the children of a reproduction hear of one Ctrl-C from the terminal and from their parent.
    for (const signal of endingSignals) process.once(signal, this.#listener);
  }

  end(): void {
    for (const signal of endingSignals) process.off(signal, this.#listener);
  }

  /**
   * Does work with a flow that can be done again from its beginning. A signal, also one that came before, ends it
   * between two blocks, and the result is null.
   */
  async unlessHeard<Result>(flow: Flow, work: () => Promise<Result>): Promise<Result | null> {
    if (this.#heard) return null;
    const before = flow.chain.pause;
    flow.chain.pause = async () => {
      await before?.();
      if (this.#heard) throw new Interrupted();
    };
    try {
      return await work();
    } catch (error) {
      if (error instanceof Interrupted) return null;
      throw error;
    } finally {
      flow.chain.pause = before;
    }
  }
}

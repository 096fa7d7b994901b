import { afterEach, expect, it } from "vitest";
import { endingSignals, Interruption } from "./interruption.js";

const before = endingSignals.map((signal) => process.listenerCount(signal));
afterEach(() => expect(endingSignals.map((signal) => process.listenerCount(signal))).toEqual(before));

it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "hears the first %s, and leaves a second one to end it all",
  (signal) => {
    let calls = 0;
    const interruption = new Interruption(() => calls++);
    interruption.listen();
    expect(interruption.heard).toBe(false);
    process.emit(signal);
    expect([interruption.heard, calls]).toEqual([true, 1]);
    expect(process.listenerCount(signal)).toBe(before[endingSignals.indexOf(signal)]);
    interruption.end();
  },
);

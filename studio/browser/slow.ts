import { effect, type ReadonlySignal, signal } from "@preact/signals";
import { useLayoutEffect, useMemo } from "preact/hooks";
import { cancelFrame, nextFrame } from "./frames.js";

/**
 * A signal that follows what `read` says of other signals, but changes at most once in so many milliseconds: text and
 * curves that changed with every step would take more time than the steps.
 */
export function useSlow<Value>(read: () => Value, milliseconds = 200): ReadonlySignal<Value> {
  const shown = useMemo(() => signal(read()), []);
  useLayoutEffect(() => {
    let last = -1;
    let newest: Value;
    const show = (now: number) => {
      // All that is equally slow changes in the same frame: the page is laid out once for all of it.
      if (Math.floor(now / milliseconds) === last && !document.hidden) {
        nextFrame(show);
        return;
      }
      last = Math.floor(now / milliseconds);
      shown.value = newest;
    };
    const stop = effect(() => {
      newest = read();
      // A hidden page has no frames, but its title and text may be read.
      if (document.hidden) show(performance.now());
      else nextFrame(show);
    });
    return () => {
      cancelFrame(show);
      stop();
    };
  });
  return shown;
}

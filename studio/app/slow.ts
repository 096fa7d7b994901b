import { effect, type ReadonlySignal, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";

/**
 * A signal that follows what `read` says of other signals, but changes at most once in so many milliseconds: text and
 * curves that changed with every step would take more time than the steps.
 */
export function useSlow<Value>(read: () => Value, milliseconds = 120): ReadonlySignal<Value> {
  const shown = useMemo(() => signal(read()), []);
  useEffect(() => {
    let last = Number.NEGATIVE_INFINITY;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let newest: Value;
    const stop = effect(() => {
      newest = read();
      if (timer !== undefined) return;
      const show = () => {
        timer = undefined;
        last = performance.now();
        shown.value = newest;
      };
      const wait = last + milliseconds - performance.now();
      if (wait > 0) timer = setTimeout(show, wait);
      else show();
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  });
  return shown;
}

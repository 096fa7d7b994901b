/** The worker's end of a page that asks and is answered: orders one after the other, and failures in words. */
import { holdLock } from "./alive.js";
import type { Failed } from "./use-worker.js";

/** Answers each order with the news that `answer` resolves to. Of orders that came meanwhile all are answered. */
export function serve<Order, News>(answer: (order: Order) => Promise<News>): void {
  holdLock();
  let before: Promise<unknown> = Promise.resolve();
  addEventListener("message", ({ data }: MessageEvent<Order>) => {
    before = before
      .then(() => answer(data))
      .then(
        (news) => postMessage(news),
        (error: unknown) =>
          postMessage({
            kind: "failed",
            message: error instanceof Error ? error.message : String(error),
          } satisfies Failed),
      );
  });
}

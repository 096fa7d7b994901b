import { type Signal, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { watch } from "./alive.js";

/** What every worker that serves may say besides its own news. */
export type Failed = { readonly kind: "failed"; readonly message: string };

export interface WorkerLink<Order> {
  /** What ended the worker, in words. */
  readonly failure: Signal<string | null>;
  order(order: Order): void;
  /** A new worker in place of the one that has ended; `onStart` is told. */
  restart(): void;
}

/**
 * A worker that lives as long as the page is shown. It works when it is asked: each answer is drawn before the next
 * question, so the page never falls behind, and a hidden page asks for nothing.
 */
export function useWorker<Order, News extends { kind: string }>(
  create: () => Worker,
  hear: (news: News, link: WorkerLink<Order>) => void,
  onStart: (link: WorkerLink<Order>) => void,
): WorkerLink<Order> {
  const [link, end] = useMemo(() => {
    let worker: Worker | null = null;
    let unwatch = () => {};
    const end = () => {
      unwatch();
      worker?.terminate();
      worker = null;
    };
    const link: WorkerLink<Order> = {
      failure: signal(null),
      order: (order) => worker?.postMessage(order),
      restart() {
        end();
        link.failure.value = null;
        worker = create();
        const fail = (why: string) => {
          end();
          link.failure.value = why;
        };
        unwatch = watch(worker, (why) => fail(`The worker that computes this has ended: ${why}.`));
        worker.addEventListener("message", ({ data }: MessageEvent<News | Failed>) => {
          if (data.kind === "failed") fail((data as Failed).message);
          else if (data.kind !== "alive") hear(data as News, link);
        });
        onStart(link);
      },
    };
    return [link, end];
  }, []);
  useEffect(() => {
    link.restart();
    return end;
  }, []);
  return link;
}

/**
 * A page hears nothing of a worker that is ended by the browser (for want of memory, say), but the locks that it held
 * become free: so a worker holds a lock for as long as it lives, and the page waits for that lock.
 */
export interface Greeting {
  readonly kind: "alive";
  readonly lock: string;
}

/** The worker's end. Without locks (an address that is not secure) there is no greeting, and deaths go unnoticed. */
export function holdLock(): void {
  if (!navigator.locks) return;
  const lock = `monotone-flows studio ${crypto.randomUUID()}`;
  void navigator.locks.request(lock, () => {
    postMessage({ kind: "alive", lock } satisfies Greeting);
    return new Promise(() => {});
  });
}

/** The page's end: calls `died` with the reason, once, when the worker fails or is gone. Returns how to stop watching. */
export function watch(worker: Worker, died: (why: string) => void): () => void {
  let watching = true;
  const end = (why: string) => {
    if (watching) died(why);
    watching = false;
  };
  worker.addEventListener("message", ({ data }: MessageEvent<Greeting | { kind: string }>) => {
    if (data.kind !== "alive") return;
    void navigator.locks.request((data as Greeting).lock, () => end("the browser has ended it"));
  });
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    end(event.message || "its program cannot be loaded");
  });
  return () => {
    watching = false;
  };
}

/** The toy densities as pictures, each computed once, when it is first asked for. */
import { type Signal, signal } from "@preact/signals";

export interface Truth {
  /** RESOLUTION x RESOLUTION, row 0 at the bottom. */
  readonly values: Float32Array;
  readonly most: number;
}

const known = new Map<string, Signal<Truth | null>>();
let worker: Worker | null = null;

/** Null until the picture is there. */
export function truth(name: string): Signal<Truth | null> {
  let picture = known.get(name);
  if (!picture) {
    picture = signal(null);
    known.set(name, picture);
    worker ??= start();
    worker.postMessage(name);
  }
  return picture;
}

function start(): Worker {
  const worker = new Worker(new URL("./truth-worker.ts", import.meta.url), { type: "module" });
  worker.addEventListener("message", ({ data }: MessageEvent<{ name: string; values: Float32Array }>) => {
    const picture = known.get(data.name);
    const most = data.values.reduce((largest, value) => Math.max(largest, value), 0);
    if (picture) picture.value = { values: data.values, most };
  });
  return worker;
}

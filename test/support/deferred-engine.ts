import type { Engine } from "../../src/engine/engine.js";
import { ReferenceEngine } from "../../src/engine/reference/engine.js";

/** Calls that wait, and so have all calls before them done first. */
const WAITING = new Set(["read", "newtonStatus"]);

/**
 * The reference engine behind a queue, as a GPU is: a call does nothing until somebody waits for a result, what a call is
 * given is taken at the call, and what is read arrives later. `performed` counts the calls that have been done.
 */
export function deferredEngine(): Engine & { readonly performed: number } {
  const inner = new ReferenceEngine();
  let queue: (() => unknown)[] = [];
  let performed = 0;
  const flush = () => {
    const due = queue;
    queue = [];
    for (const call of due) call();
    performed += due.length;
  };
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  return new Proxy(inner, {
    get(target, name: keyof Engine | "performed") {
      if (name === "performed") return performed;
      const member: unknown = target[name];
      if (typeof member !== "function" || name === "tensor") {
        return typeof member === "function" ? member.bind(target) : member;
      }
      if (WAITING.has(name)) {
        return async (...given: unknown[]) => {
          // What is enqueued before the result arrives comes after it.
          flush();
          const buffer = given.map((x) => (x instanceof Float64Array ? x.slice() : x));
          const result: unknown = await member.apply(target, buffer);
          await turn();
          given.forEach((x, i) => {
            if (x instanceof Float64Array) x.set(buffer[i] as Float64Array);
          });
          return result;
        };
      }
      return (...given: unknown[]) => {
        const taken = given.map((x) =>
          Array.isArray(x) || ArrayBuffer.isView(x) ? Float64Array.from(x as ArrayLike<number>) : x,
        );
        queue.push(() => member.apply(target, taken));
      };
    },
  }) as unknown as Engine & { readonly performed: number };
}

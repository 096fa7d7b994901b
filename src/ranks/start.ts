/** Starting ranks where this runs: on worker threads in Node, on Web Workers in a browser. */
import { inNode, serveInNode, startNodeWorker } from "./node-worker.js";
import { serveInWeb, startWebWorker } from "./web-worker.js";
import type { RankProgram, RankWorker } from "./worker.js";

export async function startWorker(program: RankProgram): Promise<RankWorker> {
  return inNode ? await startNodeWorker(program.node()) : startWebWorker(program.web());
}

/** The worker's end: does every task that is posted to this worker, one after the other. */
export function serve<Task>(program: (task: Task) => Promise<void>): void {
  if (inNode) void serveInNode(program);
  else serveInWeb(program);
}

/** How many ranks run here. */
export interface RankCount {
  ranks: number;
  /** Why these are fewer than were asked for; null if they are not. */
  remark: string | null;
}

/** As many ranks as asked for, or 1 where threads cannot share memory: in a page that is not cross-origin isolated. */
export function possibleRanks(wanted: number): RankCount {
  if (wanted === 1 || inNode || crossOriginIsolated) return { ranks: wanted, remark: null };
  return {
    ranks: 1,
    remark:
      "this page is not cross-origin isolated, so threads cannot share memory and one rank does all the work; " +
      "serve it with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp",
  };
}

/** The number of cores that this program may use. */
export async function cores(): Promise<number> {
  if (inNode) return (await import("node:os")).availableParallelism();
  return navigator.hardwareConcurrency;
}

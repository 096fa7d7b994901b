/** The checkpoints of a run that is being trained. */
import type { ChildProcess } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** The names of complete checkpoints in a run directory. */
export function checkpoints(run: string): string[] {
  try {
    return readdirSync(join(run, "checkpoint")).filter((file) => file.endsWith(".safetensors"));
  } catch {
    return [];
  }
}

/** The newest: a process that is killed right after it wrote one leaves the older one, too. */
export const newest = (run: string) => checkpoints(run).sort().at(-1) ?? "";

export const stepOf = (file: string) => Number(/\d+/.exec(file)?.[0] ?? 0);

/** Waits for a checkpoint after that step, or for the end of the process that trains. */
export async function checkpointAfter(step: number, run: string, child: ChildProcess): Promise<void> {
  while (!(stepOf(newest(run)) > step) && child.exitCode === null) await sleep(3);
}

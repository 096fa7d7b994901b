/** Options that are numbers, checked with one clear sentence each. */
import { availableParallelism } from "node:os";
import { check, quoted } from "../errors.js";
import { MOST_THREADS } from "../runs/run.js";

export function integer(option: string, text: string, least: number): number {
  const value = Number(text);
  const wanted = least === 1 ? "a positive whole number" : `a whole number from ${least} on`;
  const valid = /^[+-]?\d+(\.0*)?$/.test(text) && Number.isSafeInteger(value) && value >= least;
  check(valid, "usage", `${option} must be ${wanted}, not ${quoted(text)}`);
  return value;
}

export function positive(option: string, text: string): number {
  const value = Number(text);
  check(
    text.trim() !== "" && Number.isFinite(value) && value > 0,
    "usage",
    `${option} must be a positive number, not ${quoted(text)}`,
  );
  return value;
}

/** The number of ranks: as asked for, or one a core. */
export function threadCount(text: string | undefined): number {
  if (text === undefined) return availableParallelism();
  const threads = integer("--threads", text, 1);
  check(threads <= MOST_THREADS, "usage", `--threads must be at most ${MOST_THREADS}, not ${threads}`);
  return threads;
}

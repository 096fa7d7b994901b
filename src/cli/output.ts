/** What every command shares: one JSON object on stdout with --json, sentences otherwise. */
import { FlowError } from "../errors.js";
import type { FailedRows } from "../flows/failed-rows.js";
import { notFinite } from "../flows/json.js";

/**
 * Prints the result of a command: the object as JSON, or else the lines. JSON has no numbers that are not finite: they
 * are null, and a command that expects one says so with `orNull`, and beside it why. Throws a `numerical` error, after
 * printing, for any other: no command ends well with a number that is none.
 */
export function report(json: boolean | undefined, result: object, lines: readonly string[]): void {
  process.stdout.write(json ? `${JSON.stringify(result)}\n` : `${lines.join("\n")}\n`);
  const field = notFinite(result);
  if (field !== null) throw new FlowError("numerical", `the result has no number for ${field}`);
}

/** A number for JSON: null where it is not finite. */
export const orNull = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** How many rows have no number, for JSON: those whose solves missed their tolerance, and the others. */
export const failureCounts = ({ unconverged, notFinite }: FailedRows) => ({ unconverged, notFinite });

/** Throws a `numerical` error where rows have failed; `what` names one, and `path` is the run whose model it was. */
export function requireAll(failures: FailedRows, what: string, path: string): void {
  if (failures.count === 0) return;
  const advice = `monotone-flows verify ${path} tells whether its blocks are contractions`;
  throw new FlowError("numerical", `${failures.describe(what)}; ${advice}`);
}

/** A remark for people, on stderr. */
export function remark(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Rows of two columns, aligned. */
export function aligned(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}

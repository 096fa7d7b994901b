/** `metrics.jsonl`: a line of JSON every few steps, appended as training goes on. */
import { z } from "zod";
import { check, FlowError } from "../errors.js";
import { firstIssue, parseJson } from "../flows/json.js";

export interface Metrics {
  step: number;
  /** Mean training loss since the line before, in the unit of the run's score. */
  loss: number;
  /** Network evaluations a solve, mean over the blocks. */
  evaluations: number;
  /** Samples whose solver missed its tolerance, since the line before. */
  unconverged: number;
  /** Training time since the start of the run, in seconds. */
  seconds: number;
  /** Test loss at this step, where it was measured and is a number. */
  testLoss?: number | undefined;
  /** Test samples that failed in that test, where some did. */
  testFailed?: number | undefined;
}

const metrics = z.object({
  step: z.number().int().positive(),
  loss: z.number(),
  evaluations: z.number().nonnegative(),
  unconverged: z.number().nonnegative(),
  seconds: z.number().nonnegative(),
  // JSON has no other word for a loss that was not finite.
  testLoss: z
    .number()
    .nullish()
    .transform((loss) => loss ?? undefined),
  testFailed: z.number().int().positive().optional(),
});

export const metricsLine = (line: Metrics) => `${JSON.stringify(line)}\n`;

/**
 * The lines of such a file, without a last one that a killed process has left unfinished. Throws a `run` error that names
 * the first line that is damaged, or whose step is not behind the one before.
 */
export function parseMetrics(bytes: Uint8Array, file: string): Metrics[] {
  const lines: Metrics[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(0x0a, start);
    if (end < 0) break;
    const place = `${file}, line ${lines.length + 1}`;
    const parsed = metrics.safeParse(parseLine(bytes.subarray(start, end), place));
    if (!parsed.success) {
      throw new FlowError(
        "run",
        `${place} is damaged ${firstIssue(parsed.error)}; remove the line to go on without it`,
      );
    }
    const line = parsed.data;
    const before = lines.at(-1);
    check(
      before === undefined || line.step > before.step,
      "run",
      `${place} is of step ${line.step}, but stands behind one of step ${before?.step}; remove the line that is wrong`,
    );
    lines.push(line);
    start = end + 1;
  }
  return lines;
}

function parseLine(bytes: Uint8Array, place: string): unknown {
  try {
    return parseJson(bytes, place);
  } catch (cause) {
    throw new FlowError("run", `${(cause as Error).message}; remove the line to go on without it`, { cause });
  }
}

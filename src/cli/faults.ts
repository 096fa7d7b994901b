/** The last resort: whatever goes wrong ends as one sentence on stderr and an exit code. */
import { FlowError } from "../errors.js";
import { reason } from "../files.js";
import { inWords } from "./advice.js";

/** Set, it shows where an internal fault came from. */
const TRACE = "MONOTONE_FLOWS_TRACE";

const isCommanders = (error: unknown): error is { exitCode: number } =>
  error instanceof Error && "code" in error && String(error.code).startsWith("commander.");

/** Says what went wrong, unless commander has said it, and returns the exit code: 0 done, 2 bad usage or input, 1 else. */
export function endWith(error: unknown): number {
  if (isCommanders(error)) return error.exitCode === 0 ? 0 : 2;
  process.stderr.write(`monotone-flows: ${sentence(error)}\n`);
  return error instanceof FlowError && error.code !== "numerical" && error.code !== "internal" ? 2 : 1;
}

function sentence(error: unknown): string {
  if (error instanceof FlowError) return `${error.message}${inWords(error.advice)}`;
  if (error instanceof Error && process.env[TRACE]) return `internal fault: ${error.stack ?? error.message}`;
  const [line] = (error instanceof Error ? error.message : String(error)).split("\n", 1);
  return lackOf(error, line) ?? `internal fault: ${line}; ${TRACE}=1 in the environment shows where`;
}

/** What the machine or its limits do not give, if that is what went wrong. */
function lackOf(error: unknown, line: string): string | null {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EMFILE" || code === "ENFILE")
    return `too many files are open (${line}); raise the limit, as with ulimit -n, or use fewer --threads`;
  const memory = /allocat|out of memory|array buffer|invalid (typed )?array length|invalid string length/i;
  if (code === "ENOMEM" || (error instanceof RangeError && memory.test(line)))
    return `there is not enough memory (${line}); use fewer --threads, a smaller --batch or less data at a time`;
  return null;
}

/**
 * Output that cannot be written ends no work: nobody may be left to read stderr, or its disk may be full. Results that
 * cannot be written to stdout end the command, quietly where the reader has gone away, as `head` does.
 */
export function guardStreams(): void {
  process.stderr.on("error", () => {});
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(process.exitCode ?? 0);
    process.stderr.write(`monotone-flows: cannot write to standard output: ${reason(error)}\n`);
    process.exit(2);
  });
}

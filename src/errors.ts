/**
 * What went wrong, in a word that programs can test:
 * `usage` (an option or argument), `input` (data or a file that was read), `run` (a run directory),
 * `output` (a place that cannot be written), `numerical` (a loss, solver or certificate that failed),
 * `internal` (a fault of this program).
 */
export type ErrorCode = "usage" | "input" | "run" | "output" | "numerical" | "internal";

/** The one error class of the package: the message says what was wrong, where, and what to do. */
export class FlowError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "FlowError";
    this.code = code;
  }
}

/** Throws a `FlowError` of the given code unless the condition holds. */
export function check(condition: boolean, code: ErrorCode, message: string): asserts condition {
  if (!condition) throw new FlowError(code, message);
}

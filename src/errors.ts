/**
 * What went wrong, in a word that programs can test:
 * `usage` (an option or argument), `input` (data or a file that was read), `run` (a run directory),
 * `output` (a place that cannot be written), `numerical` (a loss, solver or certificate that failed),
 * `internal` (a fault of this program).
 */
export type ErrorCode = "usage" | "input" | "run" | "output" | "numerical" | "internal";

/** An option by which the caller can do what an error says. */
export interface Advice {
  /** Its name in the library, such as `dataDir`; programs have their own words for it. */
  readonly option: string;
  /** What to give it, where that is known. */
  readonly value?: string;
}

/** Longer messages quote something long without `quoted`: their middle is left out. */
const MOST_CHARACTERS = 2_000;
/** Foreign text is quoted so far. */
const MOST_QUOTED = 80;

/**
 * The one error class of the package: the message says what was wrong, where, and what to do. It is one line that a
 * terminal can show: whatever it quotes, control characters are written out. It names no options of a program: these are
 * `advice`, which the program puts into its own words.
 */
export class FlowError extends Error {
  /** What went wrong, in a word. */
  readonly code: ErrorCode;
  /** Options that help; none where no option does. */
  readonly advice: readonly Advice[];

  /** `cause`: the error that led to this one. */
  constructor(
    code: ErrorCode,
    message: string,
    { advice = [], ...options }: { cause?: unknown; advice?: readonly Advice[] } = {},
  ) {
    super(printable(shortened(message, MOST_CHARACTERS)), options);
    this.name = "FlowError";
    this.code = code;
    this.advice = advice;
  }
}

/** Throws a `FlowError` of the given code, with that advice, unless the condition holds. */
export function check(
  condition: boolean,
  code: ErrorCode,
  message: string,
  ...advice: Advice[]
): asserts condition {
  if (!condition) throw new FlowError(code, message, { advice });
}

/**
 * Text that was read from a file or an argument, or any JSON value, in quotation marks for a message: printable, and
 * what is long is cut.
 */
export function quoted(value: unknown): string {
  if (typeof value === "string") return `'${printable(shortened(value, MOST_QUOTED))}'`;
  return printable(shortened(asJson(value), MOST_QUOTED));
}

function asJson(value: unknown): string {
  if (typeof value === "number") return String(value);
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value); // A BigInt, or an object within itself.
  }
}

/** Text without its middle, if it has more characters than `most`. */
export function shortened(text: string, most: number): string {
  if (text.length <= most) return text;
  const part = Math.floor((most - 1) / 2);
  return `${text.slice(0, part)}…${text.slice(-part)}`;
}

/**
 * Text in which every character that moves a terminal's cursor, changes its colours, breaks a line or turns the
 * direction of writing is written as its number: \u001b.
 */
export function printable(text: string): string {
  // Controls, line and paragraph separators, marks of direction, and halves of surrogate pairs.
  return text.replace(
    /[\p{Cc}\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]|\p{Cs}/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/**
 * An option is defined once, by a schema in the room it belongs to: its limits, its default, and the sentence that says
 * what it is. Types with their docstrings, options of the command line and fields of the studio are made of that.
 */
import { z } from "zod";
import { FlowError, quoted } from "./errors.js";

/** What a schema does not say by itself. */
interface About {
  /** The range that a person chooses from: the ends of a slider. */
  readonly usual?: readonly [least: number, most: number];
  /** What a slider moves by, where numbers need not be whole. */
  readonly step?: number;
  /** What it means to leave it out, where no value stands for that. */
  readonly absent?: string;
  /** How TypeScript names its type, where that is more than a word. */
  readonly typescript?: string;
}

/** A schema with the sentence that says what the option is, without capital and full stop. */
export const option = <Schema extends z.ZodType>(
  schema: Schema,
  sentence: string,
  about: About = {},
): Schema => schema.meta({ description: sentence, ...about });

/** What an option's schema says, as plain data. */
export interface OptionFacts extends About {
  readonly sentence: string;
  readonly kind: "number" | "boolean" | "choice" | "other";
  readonly whole: boolean;
  /** Limits of a number; infinite where there is none. */
  readonly least: number;
  readonly most: number;
  /** Whether a number may be `least` and `most` themselves. */
  readonly open: readonly [least: boolean, most: boolean];
  readonly choices: readonly string[];
  readonly required: boolean;
  readonly default: unknown;
}

/** What is read of a JSON Schema, in which the words of `About` stand as well. */
interface JsonSchema extends About {
  description?: string;
  type?: string;
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  exclusiveMaximum?: number;
  enum?: string[];
  default?: unknown;
}

/** The facts of one option. */
export function optionFacts(schema: z.ZodType): OptionFacts {
  const json = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema;
  const { description = "", usual, step, absent, typescript, type } = json;
  const whole = type === "integer";
  const choices = json.enum ?? [];
  // Whole numbers above 0 are those from 1 on; those without a limit of their own are safe ones.
  const next = whole ? 1 : 0;
  const least = json.minimum ?? (json.exclusiveMinimum ?? Number.NEGATIVE_INFINITY) + next;
  const most = json.maximum ?? (json.exclusiveMaximum ?? Number.POSITIVE_INFINITY) - next;
  return {
    sentence: description,
    ...(usual ? { usual } : {}),
    ...(step ? { step } : {}),
    ...(absent ? { absent } : {}),
    ...(typescript ? { typescript } : {}),
    kind:
      choices.length > 0
        ? "choice"
        : type === "boolean"
          ? type
          : whole || type === "number"
            ? "number"
            : "other",
    whole,
    least: least <= Number.MIN_SAFE_INTEGER ? Number.NEGATIVE_INFINITY : least,
    most: most >= Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : most,
    open: [
      json.minimum === undefined && json.exclusiveMinimum !== undefined && !whole,
      json.maximum === undefined && json.exclusiveMaximum !== undefined && !whole,
    ],
    choices,
    required: !schema.safeParse(undefined).success,
    default: json.default,
  };
}

/** As people write it: 500, 0.98, 1e-5, 1e6. */
const written = (value: number) =>
  value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)
    ? value.toExponential().replace("e+", "e")
    : String(value);

/** The value that stands where an option is left out, in words; null where it has to be given. */
export function defaultInWords({ absent, default: value }: OptionFacts): string | null {
  if (absent !== undefined) return absent;
  if (value === undefined) return null;
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.map(written).join(", ");
  return typeof value === "number" ? written(value) : String(value);
}

/** The limits of a number in words, "" where there are none: "1 to 64", "from 0 on", "above 0 and below 1". */
export function limitsInWords({ least, most, open: [above, below] }: OptionFacts): string {
  const [low, high] = [Number.isFinite(least), Number.isFinite(most)];
  if (low && high && !above && !below) return `${written(least)} to ${written(most)}`;
  const from = above ? `above ${written(least)}` : `from ${written(least)} on`;
  const to = below ? `below ${written(most)}` : `at most ${written(most)}`;
  return [...(low ? [from] : []), ...(high ? [to] : [])].join(" and ");
}

/** "must be a positive whole number, not 'x'": why a value does not fit. */
function complaint(facts: OptionFacts, value: unknown, given: unknown): string {
  const { kind, whole, least, most, choices } = facts;
  if (kind === "choice") return `must be one of ${choices.join(", ")}, not ${quoted(given)}`;
  if (kind === "boolean") return `must be true or false, not ${quoted(given)}`;
  const [, below] = facts.open;
  if (typeof value === "number" && Number.isFinite(value) && (below ? value >= most : value > most)) {
    return `must be ${below ? "below" : "at most"} ${most}, not ${value}`;
  }
  const noun = whole ? "whole number" : "number";
  const positive = (whole && least === 1) || (!whole && least === 0 && facts.open[0]);
  const limits = limitsInWords({ ...facts, most: Number.POSITIVE_INFINITY });
  return `must be a ${positive ? `positive ${noun}` : `${noun} ${limits}`.trim()}, not ${quoted(given)}`;
}

/**
 * The value of an option, by its schema; throws a `usage` error that says what `name` must be, and that it is not what was
 * `given`.
 */
export function optionValue<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  name: string,
  given: unknown = value,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const facts = optionFacts(schema);
  if (facts.kind !== "other" && issue.path.length === 0) {
    throw new FlowError("usage", `${name} ${complaint(facts, value, given)}`);
  }
  throw new FlowError("usage", `${[name, ...issue.path].join(".")}: ${issue.message}`);
}

/** Options of a function, with defaults where they are left out; throws a `usage` error that names the first wrong one. */
export function resolved<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  options: unknown,
  where: string,
): z.output<z.ZodObject<Shape>> {
  const result = schema.safeParse(options);
  if (result.success) return result.data as z.output<z.ZodObject<Shape>>;
  const [issue] = result.error.issues;
  if (issue.code === "unrecognized_keys" && issue.path.length === 0) {
    const names = Object.keys(schema.shape).join(", ");
    throw new FlowError("usage", `${where} has no option ${quoted(issue.keys[0])}, only ${names}`);
  }
  const { path, message, code } = issue;
  const [name] = path;
  const own = code !== "custom" && typeof name === "string" ? schema.shape[name] : undefined;
  if (own)
    optionValue(
      own as z.ZodType,
      (options as Record<string, unknown>)[name as string],
      `${where}: ${String(name)}`,
    );
  throw new FlowError("usage", `${where}: ${[...path.map(String), message].join(": ")}`);
}

/** JSON that says one thing only: UTF-8, and no key twice in an object (of two values JSON.parse takes the last). */
import type { ZodError } from "zod";
import { FlowError, quoted, shortened } from "../errors.js";

/** The value of a JSON file's bytes; throws an `input` error that names the file. */
export function parseJson(bytes: Uint8Array, path: string): unknown {
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch (cause) {
    throw new FlowError("input", `${path} is not valid JSON; it may be half written`, { cause });
  }
  const key = repeatedKey(text);
  if (key !== null) throw new FlowError("input", `${path} has the key ${quoted(key)} twice`);
  return value;
}

/** A key that an object of this valid JSON has twice, or null. */
function repeatedKey(json: string): string | null {
  /** The keys of the objects that are open, null for arrays; the innermost last. */
  const open: (Set<string> | null)[] = [];
  // Strings, and what opens and closes; a string is a key where a colon follows.
  for (const [token, colon] of json.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/gs)) {
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(null);
    else if (token === "}" || token === "]") open.pop();
    else if (colon !== undefined) {
      const key = JSON.parse(token.slice(0, -colon.length)) as string;
      const keys = open[open.length - 1];
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
  }
  return null;
}

/** What a schema of zod found first: where, and what. */
export function firstIssue({ issues: [{ path, message }] }: ZodError): string {
  // An unknown key is quoted in whatever length it has.
  return `at ${path.join(".") || "its top"}: ${shortened(message, 200)}`;
}

/** The place of the first number in plain data that is not finite, such as "blocks.2.bound"; null if all are. */
export function notFinite(value: unknown): string | null {
  if (typeof value === "number") return Number.isFinite(value) ? null : "";
  if (typeof value !== "object" || value === null) return null;
  for (const [key, part] of Object.entries(value)) {
    const found = notFinite(part);
    if (found !== null) return found === "" ? key : `${key}.${found}`;
  }
  return null;
}

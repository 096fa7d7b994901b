/** Things that declarations name by their kind: every kind checks its own declarations. */
import { z } from "zod";
import { quoted } from "./errors.js";

/** Checks a declaration of some kind; a schema of zod is one. */
export interface Schema<Declaration> {
  /** Never throws: what is wrong stands in `error`. */
  safeParse(value: unknown):
    | { success: true; data: Declaration }
    | {
        success: false;
        error: { issues: readonly { path: readonly PropertyKey[]; message: string }[] };
      };
}

/** What kinds of bijections and of bases have in common: a name, and what may be declared of them. */
export interface Kind<Declaration extends { kind: string }> {
  /** What declarations call it. */
  readonly kind: Declaration["kind"];
  /** Checks a declaration of this kind. */
  readonly schema: Schema<Declaration>;
}

// biome-ignore lint/suspicious/noExplicitAny: every kind takes the declarations that its own schema has checked.
type Kinds = ReadonlyMap<string, Kind<any>>;

/** "there is no bijection of the kind "x", only a, b, c". */
export const unknownKind = (what: string, kinds: Kinds, name: unknown): string =>
  `there is no ${what} of the kind ${quoted(name)}, only ${[...kinds.keys()].join(", ")}`;

/** Any declaration of the kinds that there are when one is read. */
export function kindSchema<Declaration>(what: string, kinds: Kinds) {
  return z.unknown().transform((value, context): Declaration => {
    const name = (value as { kind?: unknown } | null | undefined)?.kind;
    const kind = typeof name === "string" ? kinds.get(name) : undefined;
    if (!kind) {
      context.addIssue({ code: "custom", path: ["kind"], message: unknownKind(what, kinds, name) });
      return z.NEVER;
    }
    const result = kind.schema.safeParse(value);
    if (result.success) return result.data;
    for (const { path, message } of result.error.issues) {
      context.addIssue({ code: "custom", path: [...path], message });
    }
    return z.NEVER;
  });
}

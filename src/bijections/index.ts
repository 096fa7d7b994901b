/**
 * All kinds of bijections. A new one is a file that exports a `BijectionKind`, and an entry in the list here, or a call of
 * `registerBijection` from a program that uses the package: declarations, shapes, costs and construction follow.
 */
import { check, quoted } from "../errors.js";
import { kindSchema, unknownKind } from "../kinds.js";
import type { Shape } from "../shape.js";
import { actnorm } from "./actnorm.js";
import { factorOut } from "./factor-out.js";
import { flatten } from "./flatten.js";
import { inverseResidual } from "./inverse-residual.js";
import type { BijectionKind } from "./kind.js";
import { monotone } from "./monotone.js";
import { residual } from "./residual.js";
import { squeeze } from "./squeeze.js";

const builtIn = [residual, inverseResidual, monotone, actnorm, squeeze, flatten, factorOut] as const;

type DeclarationOf<Kind> = Kind extends BijectionKind<infer Declaration> ? Declaration : never;

/** Declarations of kinds that a program has registered, by name: augment it to have them in `BijectionDeclaration`. */
// biome-ignore lint/suspicious/noEmptyInterface: it is there to be augmented.
export interface RegisteredBijections {}

/** One bijection of a chain, as a flow's declaration has it. */
export type BijectionDeclaration =
  | DeclarationOf<(typeof builtIn)[number]>
  | RegisteredBijections[keyof RegisteredBijections];

/** What a program may know of a kind beside the kind itself. */
export interface RegisterOptions {
  /**
   * The address of a module that registers the kind when it is imported (`import.meta.url` of the file that does so): other
   * threads import it. Without it flows with this kind work on one thread only.
   */
  readonly module?: string;
}

// biome-ignore lint/suspicious/noExplicitAny: every kind takes the declarations that its own schema has checked.
type AnyKind = BijectionKind<any>;

const kinds = new Map<string, AnyKind>(builtIn.map((kind) => [kind.kind, kind]));
const modules = new Map<string, string>();

/**
 * Makes a kind of bijection known: declarations may name it from then on. Throws a `usage` error for a name that another
 * kind has.
 */
export function registerBijection<Declaration extends { kind: string }>(
  kind: BijectionKind<Declaration>,
  { module }: RegisterOptions = {},
): void {
  const known = kinds.get(kind.kind);
  const name = quoted(kind.kind);
  check(known === undefined || known === kind, "usage", `there already is a bijection of the kind ${name}`);
  kinds.set(kind.kind, kind);
  if (module !== undefined) modules.set(kind.kind, module);
}

/** What is known of a declaration's kind; throws a `usage` error where that is nothing. */
function kindOf({ kind: name }: { kind: string }): AnyKind {
  const kind = kinds.get(name);
  check(kind !== undefined, "usage", unknownKind("bijection", kinds, name));
  return kind;
}

/** Modules that have to be imported elsewhere before declarations with these bijections can be read. */
export function modulesOf(declarations: readonly BijectionDeclaration[]): string[] {
  const foreign = new Set(declarations.map(({ kind }) => kind as string));
  for (const { kind } of builtIn) foreign.delete(kind);
  return [...foreign].map((kind) => {
    const module = modules.get(kind);
    check(
      module !== undefined,
      "usage",
      `other threads cannot know the bijection ${quoted(kind)}: give registerBijection the module that registers it, or use one thread`,
    );
    return module;
  });
}

/** Imports such modules, on another thread. */
export async function importModules(modules: readonly string[]): Promise<void> {
  for (const module of modules) await import(/* @vite-ignore */ module);
}

/** Any declaration, checked by the schema of its kind. */
export const bijectionSchema = kindSchema<BijectionDeclaration>("bijection", kinds);

/** The shape of what such a bijection makes of that shape. Throws a `usage` error for a shape that it cannot work on. */
export const shapeAfter = (declaration: BijectionDeclaration, shape: Shape): Shape =>
  kindOf(declaration).shapeAfter?.(shape, declaration) ?? shape;

export { kindOf as bijectionKind };

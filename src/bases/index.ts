/** All base distributions. A new one is a file that exports a `BaseKind`, and an entry in the list here. */
import { kindSchema } from "../kinds.js";
import type { Base } from "./base.js";
import type { BaseKind, BaseSite } from "./kind.js";
import { mixture } from "./mixture.js";
import { normal } from "./normal.js";
import { studentT } from "./student-t.js";

const bases = [normal, studentT, mixture] as const;

type DeclarationOf<Kind> = Kind extends BaseKind<infer Declaration> ? Declaration : never;

/** The base distribution of a flow, as its declaration has it. */
export type BaseDeclaration = DeclarationOf<(typeof bases)[number]>;

// biome-ignore lint/suspicious/noExplicitAny: every kind takes the declarations that its own schema has checked.
const kinds = new Map<string, BaseKind<any>>(bases.map((kind) => [kind.kind, kind]));

/** Their names, the default first. */
export const baseNames: readonly BaseDeclaration["kind"][] = bases.map(({ kind }) => kind);

/** Any declaration, checked by the schema of its kind. */
export const baseSchema = kindSchema<BaseDeclaration>("base distribution", kinds);

/** The numbers that such a base learns. */
export const learnedNumbers = (declaration: BaseDeclaration, dim: number): number =>
  kinds.get(declaration.kind)?.learned?.(declaration, dim) ?? 0;

export const makeBase = (declaration: BaseDeclaration, site: BaseSite): Base =>
  (kinds.get(declaration.kind) as BaseKind).make(declaration, site);

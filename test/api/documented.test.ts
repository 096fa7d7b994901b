/** Whatever the package exports says what it is: types and functions, and the members of classes and interfaces. */
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The symbols that a program exports from its file, with what stands behind re-exports. */
function exported(file: string, host?: ts.CompilerHost): { checker: ts.TypeChecker; symbols: ts.Symbol[] } {
  // Names and comments are all that is asked for: neither the language's own types nor other packages are read.
  const options = { noLib: true, types: [], skipLibCheck: true, target: ts.ScriptTarget.ES2022 };
  const own = host ?? ts.createCompilerHost(options);
  own.resolveModuleNameLiterals = (names, from) =>
    names.map(({ text }) => {
      if (!text.startsWith(".")) return { resolvedModule: undefined };
      const resolvedFileName = join(from, "..", text.replace(/\.js$/, ".ts"));
      return { resolvedModule: { resolvedFileName, extension: ts.Extension.Ts } };
    });
  const program = ts.createProgram([file], options, own);
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(file) as ts.SourceFile) as ts.Symbol;
  const symbols = checker
    .getExportsOfModule(module)
    .map((s) => (s.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(s) : s));
  return { checker, symbols };
}

const isHidden = (declaration: ts.Declaration) =>
  (ts.getCombinedModifierFlags(declaration) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) !==
    0 || ts.isPrivateIdentifier(ts.getNameOfDeclaration(declaration) ?? declaration);

/** The members that a user meets: instance and static ones, a constructor that takes something. */
function members(symbol: ts.Symbol): ts.Symbol[] {
  const all = [...(symbol.members?.values() ?? []), ...(symbol.exports?.values() ?? [])];
  return all.filter((member) => {
    const [declaration] = member.declarations ?? [];
    if (!declaration || ts.isTypeParameterDeclaration(declaration) || isHidden(declaration)) return false;
    return !ts.isConstructorDeclaration(declaration) || declaration.parameters.length > 0;
  });
}

/** The names of what has no docstring, each with its file, and how many were looked at. */
function undocumented(file: string, host?: ts.CompilerHost): { without: string[]; seen: number } {
  const { checker, symbols } = exported(file, host);
  const without: string[] = [];
  const seen = new Set<ts.Symbol>();
  const look = (symbol: ts.Symbol, name: string) => {
    const [declaration] = symbol.declarations ?? [];
    if (!declaration || seen.has(symbol)) return;
    seen.add(symbol);
    // Members have those of the interfaces that their class implements.
    const text = ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim();
    if (text === "") without.push(`${name} (${relative(root, declaration.getSourceFile().fileName)})`);
    if (!ts.isClassDeclaration(declaration) && !ts.isInterfaceDeclaration(declaration)) return;
    for (const member of members(symbol)) look(member, `${name}.${member.name}`);
    for (const { types } of declaration.heritageClauses ?? []) {
      for (const { expression } of types) {
        const base = checker.getSymbolAtLocation(expression);
        const origin = base && base.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(base) : base;
        if (origin) look(origin, origin.name);
      }
    }
  };
  for (const symbol of symbols) look(symbol, symbol.name);
  return { without, seen: seen.size };
}

it("nothing that src/index.ts exports lacks a docstring, that of browsers included", () => {
  const { without, seen } = undocumented(join(root, "src/index.ts"));
  expect(without).toEqual([]);
  expect(seen).toBeGreaterThan(400);
});

it("notices what lacks one: types, members, members of what is extended, static ones", () => {
  const text = `
    interface Base {
      /** Told. */
      a: number;
      b: number;
    }
    /** Told. */
    export interface One extends Base {
      c(): void;
      /** Told. */
      d: string;
    }
    /** Told. */
    export class Two implements One {
      a = 0;
      b = 0;
      d = "";
      #hidden = 1;
      private own = 2;
      e = 3;
      static make(): Two { return new Two(); }
      c(): void {}
    }
    export type Three = One | Two;
    /** @returns nothing */
    export function four(): void {}
  `;
  const host = ts.createCompilerHost({});
  host.getSourceFile = (name, target) =>
    name === "/some.ts" ? ts.createSourceFile(name, text, target) : undefined;
  const names = undocumented("/some.ts", host).without.map((line) => line.split(" ")[0]);
  expect(names.sort()).toEqual(
    ["Base", "Base.b", "One.c", "Three", "Two.b", "Two.c", "Two.e", "Two.make", "four"].sort(),
  );
});

/** The compiler's opinion of files with an error in them: such as it refuses are no mutants. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import type { SameType } from "./mutations.ts";

export class Types {
  readonly #service: ts.LanguageService;
  readonly #root: string;
  readonly #changed = new Map<string, string>();
  #version = 0;

  constructor(root: string) {
    this.#root = root;
    const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
    const { options, fileNames } = ts.parseJsonConfigFileContent(config, ts.sys, root);
    const text = (file: string) => this.#changed.get(file) ?? ts.sys.readFile(file);
    this.#service = ts.createLanguageService({
      getCompilationSettings: () => ({ ...options, noUnusedLocals: false, noUnusedParameters: false }),
      getScriptFileNames: () => fileNames,
      getScriptVersion: (file) => (this.#changed.has(file) ? String(this.#version) : "0"),
      getScriptSnapshot: (file) => {
        const content = text(file);
        return content === undefined ? undefined : ts.ScriptSnapshot.fromString(content);
      },
      getCurrentDirectory: () => root,
      getDefaultLibFileName: ts.getDefaultLibFilePath,
      fileExists: ts.sys.fileExists,
      readFile: ts.sys.readFile,
      directoryExists: ts.sys.directoryExists,
      getDirectories: ts.sys.getDirectories,
    });
  }

  /** The checked tree of a file, and whether two of its expressions have one type. */
  source(file: string): { tree: ts.SourceFile; sameType: SameType } {
    const program = this.#service.getProgram() as ts.Program;
    const tree = program.getSourceFile(join(this.#root, file));
    if (!tree) return { tree: untyped(this.#root, file), sameType: () => false };
    const checker = program.getTypeChecker();
    const name = (node: ts.Expression) => {
      const type = checker.getTypeAtLocation(node);
      return checker.typeToString(checker.getBaseTypeOfLiteralType(type));
    };
    return { tree, sameType: (a, b) => name(a) === name(b) };
  }

  /** Whether a file may stand as this text. */
  accept(file: string, text: string): boolean {
    const path = join(this.#root, file);
    this.#changed.set(path, text);
    this.#version++;
    try {
      return [
        ...this.#service.getSyntacticDiagnostics(path),
        ...this.#service.getSemanticDiagnostics(path),
      ].every(({ category }) => category !== ts.DiagnosticCategory.Error);
    } finally {
      this.#changed.delete(path);
    }
  }
}

/** Kernels have a compiler of their own. */
function untyped(root: string, file: string): ts.SourceFile {
  const text = readFileSync(join(root, file), "utf8");
  return ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
}

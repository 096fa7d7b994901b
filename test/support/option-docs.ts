/** The members of an interface, with their docstrings, as the schema of its options says them. */
import ts from "typescript";
import type { z } from "zod";
import { defaultInWords, limitsInWords, type OptionFacts, optionFacts } from "../../src/options.js";

/** Columns of a comment's line. */
const WIDTH = 120;

function typeOf({ typescript, kind, choices }: OptionFacts, name: string): string {
  if (typescript) return typescript;
  // Choices that are read from a list of parts are any of many names.
  if (kind === "choice") return choices.length > 3 ? "string" : choices.map((c) => `"${c}"`).join(" | ");
  if (kind === "other") throw new Error(`the option ${name} has to say its type in TypeScript`);
  return kind;
}

function docstring(facts: OptionFacts): string[] {
  const { sentence, kind } = facts;
  const start = defaultInWords(facts);
  const notes = [kind === "number" ? limitsInWords(facts) : "", start === null ? "" : `default: ${start}`];
  const noted = notes.filter((note) => note !== "").join("; ");
  const text = `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}${noted && ` (${noted})`}.`;
  const line = `  /** ${text} */`;
  if (line.length <= WIDTH) return [line];
  const lines = ["  /**"];
  let current = "   *";
  for (const word of text.split(" ")) {
    if (current.length + 1 + word.length > WIDTH) {
      lines.push(current);
      current = "   *";
    }
    current += ` ${word}`;
  }
  return [...lines, current, "   */"];
}

function member(name: string, schema: z.ZodType): string[] {
  const facts = optionFacts(schema);
  const type = typeOf(facts, name);
  return [
    ...docstring(facts),
    `  readonly ${name}${facts.required ? `: ${type}` : `?: ${type} | undefined`};`,
  ];
}

/** The text of a file, with the members of that interface written anew. */
export function withMembers(text: string, name: string, schema: z.ZodObject): string {
  const tree = ts.createSourceFile("options.ts", text, ts.ScriptTarget.ES2022, true);
  const found = tree.statements.find((s) => ts.isInterfaceDeclaration(s) && s.name.text === name);
  if (!found || !ts.isInterfaceDeclaration(found)) throw new Error(`there is no interface ${name}`);
  const members = Object.entries(schema.shape).flatMap(([key, part]) => member(key, part as z.ZodType));
  const open = text.indexOf("{", found.name.end);
  return `${text.slice(0, open)}{\n${members.join("\n")}\n${text.slice(found.end - 1)}`;
}

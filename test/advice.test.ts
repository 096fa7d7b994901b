/** The library speaks of its own options, in camelCase and as advice; the command line alone knows how they are given there. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import ts from "typescript";
import { expect, it } from "vitest";
import { flagOf, inWords } from "../src/cli/advice.js";
import { programFor } from "../src/cli/program.js";

const { commands } = await programFor([]);
/** Those of its own commands included. */
const flagsOf = ({ options, commands }: CommandUnknownOpts): string[] => [
  ...options.flatMap(({ long }) => (long ? [long] : [])),
  ...commands.flatMap(flagsOf),
];
const flags = new Set(commands.flatMap(flagsOf));
const NAMES = commands.map((command) => command.name()).join("|");

const root = fileURLToPath(new URL("../src", import.meta.url));
const files = readdirSync(root, { recursive: true, encoding: "utf8" })
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => /\.ts$/.test(file) && !/^cli\/|\.test\.ts$/.test(file));

const texts = files.map((file) => ({ file, text: readFileSync(join(root, file), "utf8") }));

/** The nodes of a source, outermost first. */
function nodesOf(text: string): ts.Node[] {
  const nodes: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    nodes.push(node);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile("file.ts", text, ts.ScriptTarget.Latest, true));
  return nodes;
}

/** Strings and templates of a source that name a command or an option of one. */
function commandsIn(text: string): string[] {
  return nodesOf(text)
    .filter((node) => ts.isStringLiteralLike(node) || ts.isTemplateExpression(node))
    .map((node) => node.getText().slice(1, -1))
    .filter(
      (literal) =>
        [...literal.matchAll(/(?<![\w-])--[\w-]+/g)].some(([flag]) => flags.has(flag)) ||
        /(?<![\w-])--\$\{/.test(literal) ||
        new RegExp(`(monotone-flows|\`) ?(${NAMES}) `).test(literal),
    );
}

/** The options that errors of a file advise: `{ option: "name" }`. */
const advised = (text: string) =>
  nodesOf(text).flatMap((node) =>
    ts.isPropertyAssignment(node) && node.name.getText() === "option" && ts.isStringLiteral(node.initializer)
      ? [node.initializer.text]
      : [],
  );

it("names no option of a command, and no command, outside of the command line", () => {
  expect(files.length).toBeGreaterThan(150);
  expect(flags.size).toBeGreaterThan(30);
  const found = texts.flatMap(({ file, text }) => commandsIn(text).map((literal) => `${file}: ${literal}`));
  expect(found).toEqual([]);
});

it.each([
  ['"choose some with --columns"', 1],
  ["`\u0024{path} is not empty; go on with --resume \u0024{path}`", 1],
  ["`--\u0024{name} is not known`", 1],
  ['"only `reproduce 1d` knows"', 1],
  ["`go on with monotone-flows train \u0024{path}`", 1],
  ["`train \u0024{path}`", 0],
  ["// choose some with --columns", 0],
  ['"a --page: #ffffff; 3--4"', 0],
  ['setFlagsFromString("--experimental-wasm-relaxed-simd")', 0],
])("judges %s", (text, count) => {
  expect(commandsIn(text)).toHaveLength(count);
});

it("advises options that the command line has", () => {
  const options = new Set(texts.flatMap(({ text }) => advised(text)));
  expect(options.size).toBeGreaterThan(4);
  // A flag may stand behind its command, and before what it needs.
  const unknown = [...options].filter((option) => !flags.has(/--[\w-]+/.exec(flagOf(option))?.[0] ?? ""));
  expect(unknown).toEqual([]);
});

it("is put into the words of the command line", () => {
  expect(inWords([])).toBe("");
  expect(inWords([{ option: "dataDir" }])).toBe(" (--data-dir)");
  expect(inWords([{ option: "out" }, { option: "resume", value: "runs/a" }])).toBe(
    " (--out or monotone-flows train --resume runs/a)",
  );
});

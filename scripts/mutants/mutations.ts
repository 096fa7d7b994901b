/**
 * Which single errors a source file could hold (mutation analysis: DeMillo, Lipton, Sayward 1978), from its syntax tree:
 *   operators   a + b for a - b, a * b for a / b, a ** b for a * b, += for -=, *= for /=, && for ||
 *   signs       -a for a, !a for a
 *   comparisons < for <= and for its contrary, === for !==
 *   numbers     n + 1 for a small integer n, and 0 for 1; 10 n for others; true for false
 *   calls       dropped where their value is not used, as are assignments; neighbouring arguments of one type exchanged;
 *               max for min, floor for ceil, a for Math.abs(a), fill(0) dropped as any other call
 *   branches    if (true), if (false), the branches of a conditional expression exchanged, the default of a ??
 * Left out, because no result hangs on them: types, imports, texts and all that is thrown or stands in the message of a
 * `check`, `Error` or `FlowError`; the loops' own counters, because such errors only hang.
 */
import ts from "typescript";

export interface Mutation {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  /** The line's text as it was, without the space around it. */
  readonly code: string;
  readonly operator: string;
  readonly start: number;
  readonly end: number;
  readonly before: string;
  readonly after: string;
  /** File, code and change: what names it when lines have moved. */
  readonly key: string;
}

/** Whether two expressions have the same type, where that is known. */
export type SameType = (a: ts.Expression, b: ts.Expression) => boolean;

const K = ts.SyntaxKind;

const OPERATORS = new Map<ts.SyntaxKind, readonly [string, ...string[]]>([
  [K.PlusToken, ["-"]],
  [K.MinusToken, ["+"]],
  [K.AsteriskToken, ["/"]],
  [K.SlashToken, ["*"]],
  [K.AsteriskAsteriskToken, ["*"]],
  [K.PercentToken, ["*"]],
  [K.PlusEqualsToken, ["-=", "="]],
  [K.MinusEqualsToken, ["+="]],
  [K.AsteriskEqualsToken, ["/="]],
  [K.SlashEqualsToken, ["*="]],
  [K.AmpersandAmpersandToken, ["||"]],
  [K.BarBarToken, ["&&"]],
  [K.LessThanToken, ["<=", ">="]],
  [K.LessThanEqualsToken, ["<", ">"]],
  [K.GreaterThanToken, [">=", "<="]],
  [K.GreaterThanEqualsToken, [">", "<"]],
  [K.EqualsEqualsEqualsToken, ["!=="]],
  [K.ExclamationEqualsEqualsToken, ["==="]],
  [K.EqualsEqualsToken, ["!="]],
  [K.ExclamationEqualsToken, ["=="]],
]);

const METHODS = new Map([
  ["max", "min"],
  ["min", "max"],
  ["floor", "ceil"],
  ["ceil", "floor"],
]);

/** Calls whose other arguments than the first are words for people. */
const CHECKS = /^check[A-Z]?\w*$/;
const ERRORS = /Error$/;

export function mutationsOf(file: string, text: string, sameType: SameType = () => false): Mutation[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
  return mutationsIn(source, file, sameType);
}

/** Of a tree that is there already. */
export function mutationsIn(source: ts.SourceFile, file: string, sameType: SameType): Mutation[] {
  const { text } = source;
  const lines = text.split("\n");
  const found: Mutation[] = [];
  const seen = new Map<string, number>();

  const add = (operator: string, start: number, end: number, after: string) => {
    const line = source.getLineAndCharacterOfPosition(start).line;
    const before = text.slice(start, end);
    if (before === after) return;
    const code = lines[line].trim();
    const name = [file, code, `${before.replace(/\s+/g, " ")} -> ${after.replace(/\s+/g, " ")}`].join(" | ");
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    const key = times === 1 ? name : `${name} | ${times}`;
    found.push({ file, line: line + 1, code, operator, start, end, before, after, key });
  };
  const replace = (operator: string, node: ts.Node, after: string) =>
    add(operator, node.getStart(source), node.end, after);

  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return;
    if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) || ts.isDecorator(node)) return;
    if (ts.isThrowStatement(node) || ts.isTemplateExpression(node)) return;
    if (ts.isNewExpression(node) && ERRORS.test(node.expression.getText(source))) return;
    if (ts.isCallExpression(node) && CHECKS.test(node.expression.getText(source))) {
      if (node.arguments.length > 0) visit(node.arguments[0]);
      return;
    }
    mutate(node);
    if (ts.isForStatement(node)) {
      // A counter that runs the other way never arrives.
      for (const part of [node.initializer, node.condition, node.statement]) if (part) visit(part);
    } else ts.forEachChild(node, visit);
  };

  const mutate = (node: ts.Node): void => {
    if (ts.isBinaryExpression(node)) {
      const { operatorToken, left, right } = node;
      for (const other of OPERATORS.get(operatorToken.kind) ?? []) replace("operator", operatorToken, other);
      if (operatorToken.kind === K.QuestionQuestionToken) replace("default", node, right.getText(source));
      // Both sides of a sum may be missing.
      if (operatorToken.kind === K.PlusToken) replace("term", node, left.getText(source));
    } else if (ts.isPrefixUnaryExpression(node)) {
      const { operator, operand } = node;
      if (operator === K.MinusToken || operator === K.ExclamationToken) {
        replace("sign", node, operand.getText(source));
      }
    } else if (ts.isNumericLiteral(node)) {
      const value = Number(node.text);
      const small = Number.isInteger(value) && Math.abs(value) < 10;
      replace("number", node, String(small ? value + 1 : 10 * value));
      if (value === 1) replace("number", node, "0");
    } else if (node.kind === K.TrueKeyword) replace("number", node, "false");
    else if (node.kind === K.FalseKeyword) replace("number", node, "true");
    else if (ts.isIfStatement(node)) {
      replace("branch", node.expression, "true");
      replace("branch", node.expression, "false");
    } else if (ts.isConditionalExpression(node)) {
      const { condition, whenTrue, whenFalse } = node;
      const [c, a, b] = [condition, whenTrue, whenFalse].map((part) => part.getText(source));
      replace("branch", node, `${c} ? ${b} : ${a}`);
    } else if (ts.isExpressionStatement(node)) {
      const { expression } = node;
      const called = ts.isAwaitExpression(expression) ? expression.expression : expression;
      const isSuper = ts.isCallExpression(called) && called.expression.kind === K.SuperKeyword;
      const isCheck = ts.isCallExpression(called) && CHECKS.test(called.expression.getText(source));
      if (!isSuper && !isCheck && !ts.isStringLiteral(expression)) replace("statement", node, ";");
    } else if (ts.isCallExpression(node)) {
      const { expression, arguments: args } = node;
      if (ts.isPropertyAccessExpression(expression)) {
        const other = METHODS.get(expression.name.text);
        if (other && expression.expression.getText(source) === "Math")
          replace("call", expression.name, other);
        if (expression.getText(source) === "Math.abs") replace("call", node, args[0].getText(source));
      }
      const symmetric = /^Math\.(min|max|hypot)$/.test(expression.getText(source));
      for (let i = 0; i + 1 < args.length && !symmetric; i++) {
        const [a, b] = [args[i], args[i + 1]];
        if (!sameType(a, b)) continue;
        add("arguments", a.getStart(source), b.end, `${b.getText(source)}, ${a.getText(source)}`);
      }
    }
  };

  visit(source);
  return found;
}

/** The text with the error in it. */
export function mutated(text: string, { start, end, after }: Mutation): string {
  return text.slice(0, start) + after + text.slice(end);
}

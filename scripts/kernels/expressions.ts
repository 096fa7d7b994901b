/**
 * Expression graphs: run a pointwise formula on this arithmetic and print the SIMD instructions for those of
 * its results that a kernel needs. Equal subexpressions are one node; a product that feeds one sum is fused.
 */
import type { Arithmetic } from "../../src/engine/pointwise.ts";

export interface Node {
  readonly id: number;
  readonly operation: string;
  readonly operands: readonly Node[];
  /** For constants and inputs: the text to print in place of the node. */
  readonly text?: string;
}

export class ExpressionGraph implements Arithmetic<Node> {
  readonly #nodes = new Map<string, Node>();

  #node(operation: string, operands: Node[], text?: string): Node {
    const key = text ?? `${operation}(${operands.map((o) => o.id).join()})`;
    let node = this.#nodes.get(key);
    if (!node) {
      node = { id: this.#nodes.size, operation, operands, ...(text === undefined ? {} : { text }) };
      this.#nodes.set(key, node);
    }
    return node;
  }

  input(name: string): Node {
    return this.#node("input", [], name);
  }
  constant(value: number): Node {
    return this.#node("constant", [], `splat(${value})`);
  }
  add = (a: Node, b: Node): Node => this.#node("f32x4.add", [a, b]);
  subtract = (a: Node, b: Node): Node =>
    a.text === "splat(0)" ? this.#node("f32x4.neg", [b]) : this.#node("f32x4.sub", [a, b]);
  multiply = (a: Node, b: Node): Node => this.#node("f32x4.mul", [a, b]);
  divide = (a: Node, b: Node): Node => this.#node("f32x4.div", [a, b]);
  minimum = (a: Node, b: Node): Node => this.#node("f32x4.min", [a, b]);
  maximum = (a: Node, b: Node): Node => this.#node("f32x4.max", [a, b]);
  absolute = (a: Node): Node => this.#node("f32x4.abs", [a]);
  exp = (a: Node): Node => this.#node("exp", [a]);
  ifPositive = (a: Node, then: Node, otherwise: Node): Node =>
    this.#node("choose", [this.#node("f32x4.gt", [a, this.constant(0)]), then, otherwise]);

  /** Statements that compute `wanted`, and the name (or literal) that each of them then has. */
  print(wanted: readonly Node[]): { statements: string[]; names: string[] } {
    const uses = new Map<Node, number>();
    const count = (node: Node) => {
      uses.set(node, (uses.get(node) ?? 0) + 1);
      if (uses.get(node) === 1) node.operands.forEach(count);
    };
    wanted.forEach(count);

    const fused = (node: Node) => node.operation === "f32x4.mul" && uses.get(node) === 1;
    const name = (node: Node) => node.text ?? `n${node.id}`;
    const statements: string[] = [];
    const printed = new Set<Node>();
    const emit = (node: Node): void => {
      if (node.text !== undefined || printed.has(node)) return;
      printed.add(node);
      if (node.operation === "f32x4.add") {
        const factor = node.operands.find(fused);
        if (factor) {
          const other = node.operands.find((o) => o !== factor) as Node;
          for (const operand of [...factor.operands, other]) emit(operand);
          statements.push(
            `const ${name(node)} = fma(${factor.operands.map(name).join(", ")}, ${name(other)});`,
          );
          return;
        }
      }
      node.operands.forEach(emit);
      statements.push(`const ${name(node)} = ${node.operation}(${node.operands.map(name).join(", ")});`);
    };
    wanted.forEach(emit);
    return { statements, names: wanted.map(name) };
  }
}

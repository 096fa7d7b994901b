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

const isZero = (node: Node) => node.text === "splat(0)";

export class ExpressionGraph implements Arithmetic<Node> {
  readonly #nodes = new Map<string, Node>();
  readonly #table: string;
  /** 1 / e^a for each e^a. */
  readonly #reciprocals = new Map<Node, Node>();
  /** The constants of the formulas, in the order of the table that the kernel has to hold. */
  readonly constants: number[] = [];

  /** `table`: the name that the kernel's table of constants has in the printed text. */
  constructor(table: string) {
    this.#table = table;
  }

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
    if (Object.is(value, 0)) return this.#node("constant", [], "splat(0)");
    let index = this.constants.findIndex((known) => Object.is(known, value));
    if (index < 0) index = this.constants.push(value) - 1;
    return this.#node("constant", [], `repeated(${this.#table}, ${index})`);
  }
  add = (a: Node, b: Node): Node => (isZero(b) ? a : this.#node("f32x4.add", [a, b]));
  subtract = (a: Node, b: Node): Node => (isZero(a) ? this.#negative(b) : this.#node("f32x4.sub", [a, b]));
  multiply = (a: Node, b: Node): Node => this.#node("f32x4.mul", [a, b]);
  divide = (a: Node, b: Node): Node =>
    (a === this.constant(1) && this.#reciprocals.get(b)) || this.#node("f32x4.div", [a, b]);
  // One instruction each, and a NaN that stands first stays NaN.
  minimum = (a: Node, b: number): Node => this.#node("f32x4.pmin", [a, this.constant(b)]);
  maximum = (a: Node, b: number): Node => this.#node("f32x4.pmax", [a, this.constant(b)]);
  // The bits of -0 are the sign alone: a constant, where f32x4.abs and neg take instructions to make it.
  absolute = (a: Node): Node => this.#node("v128.andnot", [a, this.constant(-0)]);
  #negative = (a: Node): Node => this.#node("v128.xor", [a, this.constant(-0)]);
  /** e^a in the steps of `kernels/simd.ts`; its reciprocal e^-a, for a of up to 88, shares most of them. */
  exp = (a: Node): Node => {
    const x = this.#node("expClamp", [a]);
    const scale = this.#node("expScale", [x]);
    const r = this.#node("expRemainder", [x, scale]);
    const square = this.multiply(r, r);
    const even = this.#node("expEven", [square]);
    const odd = this.#node("expOdd", [square]);
    const result = this.#node("expRaise", [this.#node("fma", [odd, r, even]), scale]);
    this.#reciprocals.set(result, this.#node("expLower", [this.#node("negativeFma", [odd, r, even]), scale]));
    return result;
  };
  step = (a: Node): Node =>
    this.#node("v128.or", [
      this.#node("v128.and", [this.#node("f32x4.gt", [a, this.constant(0)]), this.constant(1)]),
      this.#node("f32x4.ne", [a, a]), // all ones are a NaN
    ]);
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
      if (node.operation === "f32x4.sub" && fused(node.operands[1])) {
        const [other, factor] = node.operands;
        for (const operand of [...factor.operands, other]) emit(operand);
        statements.push(
          `const ${name(node)} = negativeFma(${factor.operands.map(name).join(", ")}, ${name(other)});`,
        );
        return;
      }
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

import type { Engine, Matrix } from "../engine/engine.js";
import type { Bijection } from "./bijection.js";

/** A map that only moves numbers: nothing to learn, |det| = 1, and its own transpose is its inverse. */
export abstract class FixedMap implements Bijection {
  abstract readonly kind: string;
  protected readonly engine: Engine;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  /** Moves the numbers of `input` to their places in `out`, or back. */
  protected abstract move(out: Matrix, input: Matrix, inverse: boolean): void;

  async forward(out: Matrix, input: Matrix): Promise<void> {
    this.move(out, input, false);
  }

  async inverse(out: Matrix, input: Matrix): Promise<void> {
    this.move(out, input, true);
  }

  async backward(inputBar: Matrix, outputBar: Matrix): Promise<void> {
    this.move(inputBar, outputBar, true);
  }

  prepare(): void {}

  readonly gradientLength = 0;

  async takeGradient(): Promise<void> {}

  pullBack(): void {}
}

/** A step of the chain that changes no number, only how they are seen. */
export class Reshape extends FixedMap {
  readonly kind: string;

  constructor(engine: Engine, kind: string) {
    super(engine);
    this.kind = kind;
  }

  protected move(out: Matrix, input: Matrix): void {
    // Both are contiguous.
    const { rows, lanes, stride } = out;
    this.engine.combine(out, 1, { ...input, rows, lanes, stride });
  }
}

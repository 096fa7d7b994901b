/**
 * Pointwise maps, written once for every engine. A map's formula is a program over an abstract
 * arithmetic: the reference engine runs it on numbers, and the kernel build runs it on the names of SIMD
 * registers to print the kernel. So there is no second, hand-written copy of any formula.
 */

/** The operations that a formula may use, on numbers or on whatever stands for them. */
export interface Arithmetic<T> {
  constant(value: number): T;
  add(a: T, b: T): T;
  subtract(a: T, b: T): T;
  multiply(a: T, b: T): T;
  divide(a: T, b: T): T;
  minimum(a: T, b: T): T;
  maximum(a: T, b: T): T;
  absolute(a: T): T;
  exp(a: T): T;
  /** `then` where a > 0, otherwise `otherwise`. */
  ifPositive(a: T, then: T, otherwise: T): T;
}

/** f(x), f'(x), f''(x), and for a learned parameter p also df/dp and df'/dp. */
export interface PointwiseJet<T> {
  value: T;
  first: T;
  second: T;
  byParameter?: { value: T; first: T };
}

/** A map of each number by itself to one output, or to two that are concatenated along the channels. */
export interface PointwiseMap {
  readonly name: string;
  readonly outputs: 1 | 2;
  /** One jet for each output. `parameter` is meaningful only for maps that learn one. */
  jets<T>(arithmetic: Arithmetic<T>, x: T, parameter: T): PointwiseJet<T>[];
}

/** Arithmetic on float64 numbers. */
export const numbers: Arithmetic<number> = {
  constant: (value) => value,
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
  minimum: Math.min,
  maximum: Math.max,
  absolute: Math.abs,
  exp: Math.exp,
  ifPositive: (a, then, otherwise) => (a > 0 ? then : otherwise),
};

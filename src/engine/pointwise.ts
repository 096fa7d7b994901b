/**
 * Pointwise maps, written once for every engine. A map's formula is a program over an abstract
 * arithmetic: the reference engine runs it on numbers, and the kernel build runs it on the names of SIMD
 * registers to print the kernel. So there is no second, hand-written copy of any formula.
 */

/**
 * The operations that a formula may use, on numbers or on whatever stands for them. NaN goes through all of them, so that
 * no value or slope of NaN is a number; formulas see to it that infinite arguments give limits, never Infinity times 0.
 */
export interface Arithmetic<T> {
  /** A number that does not depend on x. */
  constant(value: number): T;
  /** a + b. */
  add(a: T, b: T): T;
  /** a - b. */
  subtract(a: T, b: T): T;
  /** a b. */
  multiply(a: T, b: T): T;
  /** a / b. */
  divide(a: T, b: T): T;
  /** The smaller of a and a constant; NaN of NaN. */
  minimum(a: T, b: number): T;
  /** The larger of a and a constant; NaN of NaN. */
  maximum(a: T, b: number): T;
  /** |a|. */
  absolute(a: T): T;
  /** e^a. */
  exp(a: T): T;
  /** 1 where a > 0, otherwise 0; NaN of NaN. */
  step(a: T): T;
  /** `then` where a > 0, otherwise (also of NaN) `otherwise`. */
  ifPositive(a: T, then: T, otherwise: T): T;
}

/** f(x), f'(x), f''(x), and for a learned parameter p also df/dp and df'/dp. */
export interface PointwiseJet<T> {
  /** f(x). */
  value: T;
  /** f'(x). */
  first: T;
  /** f''(x). */
  second: T;
  /** df/dp and df'/dp, of a learned parameter p. */
  byParameter?: { value: T; first: T };
}

/** A map of each number by itself to one output, or to two that are concatenated along the channels. */
export interface PointwiseMap {
  /** The name of its kernels, and of an activation in declarations. */
  readonly name: string;
  /** Numbers that it makes of one. */
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
  step: (a) => (a > 0 ? 1 : a <= 0 ? 0 : Number.NaN),
  ifPositive: (a, then, otherwise) => (a > 0 ? then : otherwise),
};

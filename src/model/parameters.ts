import { check, quoted } from "../errors.js";

/** An array of numbers that belongs to a model: learned, or carried along (such as a power iteration's vectors). */
export interface Parameter {
  /** As in model.safetensors. */
  readonly name: string;
  /** Numbers along each axis, the last one's next to each other. */
  readonly shape: readonly number[];
  /** Whose it is, in words for an error: "block 3 (monotone)", or empty. */
  readonly owner: string;
  /** False for state that no optimiser touches. */
  readonly learned: boolean;
  /** The first training step that changes it. */
  learnFrom: number;
  /** Row-major float64. */
  values: Float64Array;
  /** dLoss/dvalues; empty unless learned. */
  gradient: Float64Array;
}

/** Values as a file has them. */
export interface Shaped {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

const EMPTY = new Float64Array(0);

const arrayOf = (given: ArrayLike<number> | Shaped): ArrayLike<number> =>
  "shape" in given ? given.values : given;

/** The place of the first number that is not finite in float32, or -1. */
export function firstBeyondFloat32(values: ArrayLike<number>): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(Math.fround(values[i]))) return i;
  return -1;
}

/** Where a part of a model gets its parameters from. */
export interface ParameterMaker {
  /** A parameter that training changes; `values` (row-major) are its start. */
  learned(name: string, shape: readonly number[], values: Float64Array): Parameter;
  /** Numbers that are carried along and saved, and that no optimiser touches. */
  state(name: string, shape: readonly number[], values: Float64Array): Parameter;
}

/**
 * All parameters of a model. `seal` lays the learned ones out in one flat array, with their gradients in
 * another, so that an all-reduce and an optimiser see a single vector.
 */
export class Parameters implements ParameterMaker {
  /** In the order in which they were made. */
  readonly list: Parameter[] = [];
  /** All learned values, one after the other, once sealed. */
  values = EMPTY;
  /** The gradients of `values`, in the same order. */
  gradient = EMPTY;

  learned(name: string, shape: readonly number[], values: Float64Array): Parameter {
    return this.#add(name, shape, values, true, "");
  }

  state(name: string, shape: readonly number[], values: Float64Array): Parameter {
    return this.#add(name, shape, values, false, "");
  }

  /** Makes parameters here that belong to a part of the model. */
  ownedBy(owner: string): ParameterMaker {
    return {
      learned: (name, shape, values) => this.#add(name, shape, values, true, owner),
      state: (name, shape, values) => this.#add(name, shape, values, false, owner),
    };
  }

  #add(
    name: string,
    shape: readonly number[],
    values: Float64Array,
    learned: boolean,
    owner: string,
  ): Parameter {
    const parameter = { name, owner, shape, learned, learnFrom: 0, values, gradient: EMPTY };
    this.list.push(parameter);
    return parameter;
  }

  /**
   * Copies values in by name. Throws an `input` error that names the first tensor that is missing, too many or
   * misshapen, or has a number that is none in float32: NaN, infinite or beyond 3.4e38.
   */
  load(values: ReadonlyMap<string, ArrayLike<number> | Shaped>, where: string): void {
    for (const { name, shape, values: own } of this.list) {
      const given = values.get(name);
      check(given !== undefined, "input", `${where} lacks the tensor ${quoted(name)}`);
      const tensor = `${where}: ${quoted(name)}`;
      const array = arrayOf(given);
      check(array.length === own.length, "input", `${tensor} has ${array.length} numbers, not ${own.length}`);
      if ("shape" in given) {
        const same = given.shape.length === shape.length && given.shape.every((size, i) => size === shape[i]);
        check(same, "input", `${tensor} has the shape ${quoted(given.shape)}, not ${quoted(shape)}`);
      }
      const wrong = firstBeyondFloat32(array);
      check(wrong < 0, "input", `${tensor} holds ${array[wrong]}, which no weight can be`);
    }
    const known = new Set(this.list.map((p) => p.name));
    const foreign = [...values.keys()].find((name) => !known.has(name));
    check(foreign === undefined, "input", `${where} holds ${quoted(foreign)}, which the flow does not have`);
    for (const p of this.list) p.values.set(arrayOf(values.get(p.name) as Shaped));
  }

  /** A number that differs, but for one case in 2^32, once a value has changed: FNV-1a over their 32-bit words. */
  fingerprint(): number {
    let hash = 0x811c9dc5;
    for (const { values } of this.list) {
      const words = new Int32Array(values.buffer, values.byteOffset, 2 * values.length);
      for (let i = 0; i < words.length; i++) hash = Math.imul(hash ^ words[i], 0x01000193);
    }
    return hash;
  }

  /** Ends the making: lays the learned numbers and their gradients out. */
  seal(): void {
    const learned = this.list.filter((p) => p.learned);
    const total = learned.reduce((sum, p) => sum + p.values.length, 0);
    this.values = new Float64Array(total);
    this.gradient = new Float64Array(total);
    let offset = 0;
    for (const p of learned) {
      const end = offset + p.values.length;
      this.values.set(p.values, offset);
      p.values = this.values.subarray(offset, end);
      p.gradient = this.gradient.subarray(offset, end);
      offset = end;
    }
  }
}

import { check } from "../errors.js";

/** An array of numbers that belongs to a model: learned, or carried along (such as a power iteration's vectors). */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** False for state that no optimiser touches. */
  readonly learned: boolean;
  /** The first training step that changes it. */
  learnFrom: number;
  /** Row-major float64. */
  values: Float64Array;
  /** dLoss/dvalues; empty unless learned. */
  gradient: Float64Array;
}

const EMPTY = new Float64Array(0);

/**
 * All parameters of a model. `seal` lays the learned ones out in one flat array, with their gradients in
 * another, so that an all-reduce and an optimiser see a single vector.
 */
export class Parameters {
  readonly list: Parameter[] = [];
  /** All learned values, one after the other, once sealed. */
  values = EMPTY;
  gradient = EMPTY;

  learned(name: string, shape: readonly number[], values: Float64Array): Parameter {
    return this.#add({ name, shape, learned: true, learnFrom: 0, values, gradient: EMPTY });
  }

  state(name: string, shape: readonly number[], values: Float64Array): Parameter {
    return this.#add({ name, shape, learned: false, learnFrom: 0, values, gradient: EMPTY });
  }

  #add(parameter: Parameter): Parameter {
    this.list.push(parameter);
    return parameter;
  }

  /** Copies values in by name; throws an `input` error naming the first that is missing, too many or misshapen. */
  load(values: ReadonlyMap<string, ArrayLike<number>>, where: string): void {
    for (const { name, values: own } of this.list) {
      const given = values.get(name);
      check(given !== undefined, "input", `${where} lacks the tensor '${name}'`);
      check(
        given.length === own.length,
        "input",
        `${where}: '${name}' has ${given.length} numbers, not ${own.length}`,
      );
    }
    const known = new Set(this.list.map((p) => p.name));
    const foreign = [...values.keys()].find((name) => !known.has(name));
    check(foreign === undefined, "input", `${where} holds '${foreign}', which the flow does not have`);
    for (const p of this.list) p.values.set(values.get(p.name) as ArrayLike<number>);
  }

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

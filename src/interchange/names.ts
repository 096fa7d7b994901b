import { check } from "../errors.js";
import type { Tensor } from "./pytorch.js";

/** Names of a state_dict that no function of the model depends on in evaluation. */
const IDLE =
  /(^|\.)(geom_p|lamb|last_n_samples|last_firmom|last_secmom|scale|spatial_dims|initialized)$|(^|\.)nnet_[xz]_copy\./;

/** The tensors of a state_dict below one name, and which of all of them have been taken. */
export class Names {
  readonly prefix: string;
  /** What errors call the checkpoint. */
  readonly where: string;
  readonly #tensors: ReadonlyMap<string, Tensor>;
  readonly #taken: Set<string>;

  constructor(tensors: ReadonlyMap<string, Tensor>, where: string, prefix = "", taken = new Set<string>()) {
    this.#tensors = tensors;
    this.where = where;
    this.prefix = prefix;
    this.#taken = taken;
  }

  below(prefix: string): Names {
    return new Names(this.#tensors, this.where, this.prefix + prefix, this.#taken);
  }

  has(name: string): boolean {
    return this.#tensors.has(this.prefix + name);
  }

  /** Whether there is any name that starts so. */
  hasBelow(start: string): boolean {
    return this.#any((name) => name.startsWith(this.prefix + start));
  }

  #any(test: (name: string) => boolean): boolean {
    for (const name of this.#tensors.keys()) if (test(name)) return true;
    return false;
  }

  /** The numbers that names here start with, ascending. */
  children(): number[] {
    const found = new Set<number>();
    for (const name of this.#tensors.keys()) {
      const number = name.startsWith(this.prefix) ? /^\d+(?=\.)/.exec(name.slice(this.prefix.length)) : null;
      if (number) found.add(Number(number[0]));
    }
    return [...found].sort((a, b) => a - b);
  }

  shape(name: string): readonly number[] {
    return this.#get(name).shape;
  }

  #get(name: string): Tensor {
    const tensor = this.#tensors.get(this.prefix + name);
    check(tensor !== undefined, "input", `${this.where} lacks the tensor '${this.prefix}${name}'`);
    return tensor;
  }

  /** The numbers of a tensor, which counts as taken; throws an `input` error where one is not finite or too many. */
  take(name: string, length: number): Float64Array {
    const tensor = this.#get(name);
    const full = `${this.where}: '${this.prefix}${name}'`;
    check(
      tensor.length === length,
      "input",
      `${full} has the shape [${tensor.shape.join(", ")}], where ${length} numbers belong`,
    );
    const { values } = tensor;
    const at = values.findIndex((x) => !Number.isFinite(x));
    check(at < 0, "input", `${full} holds ${values[at]}; the model has diverged or the file is damaged`);
    this.#taken.add(this.prefix + name);
    return values;
  }

  /** The first name that matters to the model and that nobody has taken. */
  left(): string | undefined {
    return [...this.#tensors.keys()].find((name) => !this.#taken.has(name) && !IDLE.test(name));
  }
}

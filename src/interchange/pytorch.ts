/**
 * What `torch.save` writes, without Python: a zip archive of one pickle and of the numbers it speaks of, or the format
 * before PyTorch 1.6, the same in one stream. Nothing in a checkpoint is executed: tensors become `Tensor`s, objects
 * become records of their attributes, and a call of anything that is not in `FUNCTIONS` is refused by name.
 */
import { check, FlowError } from "../errors.js";
import { Call, Global, Instance, Persistent, pickle, unpickle, type Value, type Writable } from "./pickle.js";
import { isZip, readZip, writeZip } from "./zip.js";

const WIDTHS = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
};
export type Dtype = keyof typeof WIDTHS;

const STORAGES: Record<string, Dtype> = {
  DoubleStorage: "float64",
  FloatStorage: "float32",
  HalfStorage: "float16",
  BFloat16Storage: "bfloat16",
  LongStorage: "int64",
  IntStorage: "int32",
  ShortStorage: "int16",
  CharStorage: "int8",
  ByteStorage: "uint8",
  BoolStorage: "bool",
};

/** The numbers of one storage, little-endian; those of the old format come behind the pickle. */
interface Storage {
  readonly dtype: Dtype;
  readonly length: number;
  bytes: Uint8Array | null;
}

/** A tensor of a checkpoint. Its numbers are read when they are asked for: most of a checkpoint is its optimiser's. */
export class Tensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly #read: () => Float64Array;

  constructor(dtype: Dtype, shape: readonly number[], read: () => Float64Array) {
    this.dtype = dtype;
    this.shape = shape;
    this.#read = read;
  }

  static of(shape: readonly number[], values: ArrayLike<number>, dtype: Dtype = "float64"): Tensor {
    return new Tensor(dtype, shape, () => Float64Array.from(values));
  }

  get length(): number {
    return this.shape.reduce((a, b) => a * b, 1);
  }

  /** Row-major, as float64. */
  get values(): Float64Array {
    return this.#read();
  }
}

/** A tensor as it lies in a storage, whatever its strides. */
function view(
  storage: Storage,
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
  file: string,
): Tensor {
  const whole = (list: readonly number[]) => list.every((n) => Number.isSafeInteger(n) && n >= 0);
  const count = shape.reduce((a, b) => a * b, 1);
  const last = shape.reduce((sum, n, i) => sum + Math.max(0, n - 1) * strides[i], offset);
  check(
    whole([offset, ...shape, ...strides]) &&
      shape.length === strides.length &&
      (count === 0 || (last < storage.length && count <= storage.length)),
    "input",
    `${file} is damaged: a tensor reaches beyond its storage`,
  );
  return new Tensor(storage.dtype, shape, () => {
    const values = new Float64Array(count);
    const number = reader(storage, file);
    const place = shape.map(() => 0);
    let at = offset;
    for (let i = 0; i < count; i++) {
      values[i] = number(at);
      for (let d = shape.length - 1; d >= 0; d--) {
        at += strides[d];
        if (++place[d] < shape[d]) break;
        at -= strides[d] * shape[d];
        place[d] = 0;
      }
    }
    return values;
  });
}

function reader({ dtype, bytes }: Storage, file: string): (index: number) => number {
  if (!bytes) throw new FlowError("input", `${file} is cut short: the numbers of a tensor are missing`);
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (dtype) {
    case "float64":
      return (i) => data.getFloat64(8 * i, true);
    case "float32":
      return (i) => data.getFloat32(4 * i, true);
    case "int64":
      return (i) => Number(data.getBigInt64(8 * i, true));
    case "int32":
      return (i) => data.getInt32(4 * i, true);
    case "int16":
      return (i) => data.getInt16(2 * i, true);
    case "int8":
      return (i) => data.getInt8(i);
    case "uint8":
    case "bool":
      return (i) => data.getUint8(i);
    default:
      throw new FlowError(
        "input",
        `${file} has tensors of type ${dtype}; save its model in float32 or float64`,
      );
  }
}

/** Modules whose classes may be in a checkpoint: those of the studies' models, of which only the attributes matter. */
const RECORDS = /^(argparse|__main__|(lib|resflows|torch\.nn|torch\.optim)(\..*)?)$/;

/** The functions and classes that a checkpoint may call, and what they return. */
const FUNCTIONS: Record<string, (args: readonly Value[], file: string) => Value> = {
  "collections.OrderedDict": () => new Map(),
  "torch._utils._rebuild_tensor_v2": rebuildTensor,
  "torch._utils._rebuild_tensor": rebuildTensor,
  "torch._utils._rebuild_parameter": ([tensor]) => tensor,
  "builtins.set": ([items]) => new Set(Array.isArray(items) ? items : []),
  "__builtin__.set": ([items]) => new Set(Array.isArray(items) ? items : []),
  "torch.device": ([name]) => name,
  "torch.Size": ([sizes]) => sizes,
  "numpy.dtype": ([code]) => code,
  "_codecs.encode": ([text]) => Uint8Array.from(String(text), (c) => c.charCodeAt(0)),
  "numpy.core.multiarray.scalar": numpyScalar,
  "numpy._core.multiarray.scalar": numpyScalar,
};

function rebuildTensor(args: readonly Value[], file: string): Tensor {
  const [storage, offset, shape, strides] = args as [Storage, number, number[], number[]];
  const plausible = typeof storage === "object" && Array.isArray(shape) && Array.isArray(strides);
  check(plausible, "input", `${file} is damaged: a tensor has no storage`);
  return view(storage, offset, shape, strides, file);
}

/** A NumPy number of one of the common types, or null. */
function numpyScalar([dtype, bytes]: readonly Value[]): Value {
  if (!(bytes instanceof Uint8Array) || bytes.length !== 8) return null;
  const data = new DataView(bytes.buffer, bytes.byteOffset, 8);
  if (dtype === "f8") return data.getFloat64(0, true);
  return dtype === "i8" ? Number(data.getBigInt64(0, true)) : null;
}

function hooks(file: string, storage: (id: readonly Value[]) => Storage) {
  const refuse = (global: Global): never => {
    throw new FlowError(
      "input",
      `${file} calls ${global}, which no checkpoint of these models needs; it is not opened, and nothing in it was run`,
    );
  };
  return {
    call(callee: Global, args: readonly Value[]): Value {
      const name = String(callee);
      return Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name](args, file) : refuse(callee);
    },
    create: (type: Global): Value => (RECORDS.test(type.module) ? new Instance(type) : refuse(type)),
    persistent(id: Value): Value {
      const parts = Array.isArray(id) ? id : [];
      // In the old format the classes of modules come with their source text.
      if (parts[0] === "module") return parts[1];
      check(
        parts[0] === "storage" && parts[1] instanceof Global,
        "input",
        `${file} is damaged: a strange storage`,
      );
      return storage(parts);
    },
  };
}

function dtypeOf(id: readonly Value[], file: string): Dtype {
  const { name } = id[1] as Global;
  check(Object.hasOwn(STORAGES, name), "input", `${file} has tensors of an unknown type, ${name}`);
  return STORAGES[name];
}

/** The bytes of the old format's first pickle: its magic number. */
const MAGIC = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];
const OLD_PROTOCOL = 1001;

/**
 * The object that `torch.save` was given, from the bytes of its file. Dictionaries are Maps, a Namespace or a module is
 * an `Instance`.
 *
 * @param file what errors call the bytes
 * @throws FlowError `input`, where the bytes are damaged, or no checkpoint, or call what a checkpoint needs not
 */
export function decodeTorch(bytes: Uint8Array, file = "the checkpoint"): Value {
  if (isZip(bytes)) return decodeArchive(bytes, file);
  check(
    MAGIC.every((byte, i) => bytes[i] === byte),
    "input",
    `${file} is no checkpoint of PyTorch: neither a zip archive of torch.save nor its format before PyTorch 1.6`,
  );
  return decodeStream(bytes, file);
}

function decodeArchive(bytes: Uint8Array, file: string): Value {
  const entries = readZip(bytes, file);
  const pickled = [...entries.keys()].find((name) => /^[^/]*\/data\.pkl$/.test(name));
  check(
    pickled !== undefined,
    "input",
    `${file} is a zip archive, but torch.save has not written it: it has no data.pkl`,
  );
  const folder = pickled.slice(0, -"data.pkl".length);
  check(
    !entries.has(`${folder}constants.pkl`),
    "input",
    `${file} is a TorchScript program; save the model's state_dict() with torch.save instead`,
  );
  const order = entries.get(`${folder}byteorder`);
  const little = order === undefined || new TextDecoder().decode(order).trim() === "little";
  check(little, "input", `${file} was written on a big-endian machine; load and save it on another`);
  const storages = new Map<string, Storage>();
  const storage = (id: readonly Value[]): Storage => {
    const [key, length] = [String(id[2]), id[4]];
    const dtype = dtypeOf(id, file);
    const known = storages.get(key);
    if (known?.dtype === dtype) return known;
    const numbers = entries.get(`${folder}data/${key}`);
    check(
      numbers !== undefined &&
        Number.isSafeInteger(length) &&
        numbers.length === (length as number) * WIDTHS[dtype],
      "input",
      `${file} is damaged: the numbers of storage ${key} are missing or of another length`,
    );
    const fresh = { dtype, length: length as number, bytes: numbers };
    storages.set(key, fresh);
    return fresh;
  };
  return unpickle(entries.get(pickled) as Uint8Array, hooks(file, storage), file).value;
}

/** Magic number, protocol, system, the object, the storages' keys; then for each its length and its numbers. */
function decodeStream(bytes: Uint8Array, file: string): Value {
  const storages = new Map<string, Storage>();
  const storage = (id: readonly Value[]): Storage => {
    const [key, length, part] = [String(id[2]), id[4], id[5]];
    check(
      part === null || part === undefined,
      "input",
      `${file} has storages that share memory; save it again`,
    );
    check(Number.isSafeInteger(length), "input", `${file} is damaged: a storage without a length`);
    const known = storages.get(key);
    if (known) return known;
    const fresh = { dtype: dtypeOf(id, file), length: length as number, bytes: null };
    storages.set(key, fresh);
    return fresh;
  };
  const own = hooks(file, storage);
  let at = MAGIC.length;
  const next = (): Value => {
    const { value, length } = unpickle(bytes.subarray(at), own, file);
    at += length;
    return value;
  };
  check(next() === OLD_PROTOCOL, "input", `${file} is damaged, or of an unknown protocol of torch.save`);
  const system = next();
  const little = !(system instanceof Map) || system.get("little_endian") !== false;
  check(little, "input", `${file} was written on a big-endian machine; load and save it on another`);
  const value = next();
  const keys = next();
  check(Array.isArray(keys), "input", `${file} is damaged: the list of its storages is missing`);
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const key of keys) {
    const known = storages.get(String(key));
    check(known !== undefined && at + 8 <= bytes.length, "input", `${file} is cut short`);
    const length = Number(data.getBigUint64(at, true)) * WIDTHS[known.dtype];
    at += 8;
    check(
      length === known.length * WIDTHS[known.dtype],
      "input",
      `${file} is damaged: a storage has another length`,
    );
    check(at + length <= bytes.length, "input", `${file} is cut short`);
    known.bytes = bytes.subarray(at, at + length);
    at += length;
  }
  return value;
}

/** What a checkpoint that we write is made of; Arrays are tuples. */
export type Saved = null | boolean | number | string | Tensor | readonly Saved[] | ReadonlyMap<string, Saved>;

const WRITTEN = { float64: "DoubleStorage", int64: "LongStorage", float32: "FloatStorage" } as const;

/** The bytes of a file that `torch.load` reads, with `weights_only=True` as well. */
export function encodeTorch(value: Saved): Uint8Array {
  const numbers: Uint8Array[] = [];
  const tensor = ({ dtype, shape, length, values }: Tensor): Writable => {
    check(dtype in WRITTEN, "internal", `tensors of ${dtype} are not written`);
    const bytes = new Uint8Array(length * WIDTHS[dtype]);
    const data = new DataView(bytes.buffer);
    values.forEach((x, i) => {
      if (dtype === "float64") data.setFloat64(8 * i, x, true);
      else if (dtype === "float32") data.setFloat32(4 * i, x, true);
      else data.setBigInt64(8 * i, BigInt(x), true);
    });
    const storage = new Global("torch", WRITTEN[dtype as keyof typeof WRITTEN]);
    const key = String(numbers.push(bytes) - 1);
    const strides = shape.map((_, d) => shape.slice(d + 1).reduce((a, b) => a * b, 1));
    return new Call(new Global("torch._utils", "_rebuild_tensor_v2"), [
      new Persistent(["storage", storage, key, "cpu", length]),
      0,
      shape,
      strides,
      false,
      new Call(new Global("collections", "OrderedDict"), []),
    ]);
  };
  const writable = (x: Saved): Writable => {
    if (x instanceof Tensor) return tensor(x);
    if (Array.isArray(x)) return x.map(writable);
    if (x instanceof Map) return new Map([...x].map(([key, item]) => [key, writable(item)]));
    return x as Writable;
  };
  const pickled = pickle(writable(value));
  const text = (content: string) => new TextEncoder().encode(content);
  return writeZip(
    new Map([
      ["archive/data.pkl", pickled],
      ["archive/byteorder", text("little")],
      ...numbers.map((bytes, i) => [`archive/data/${i}`, bytes] as const),
      ["archive/version", text("3\n")],
    ]),
  );
}

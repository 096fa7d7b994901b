/**
 * Python's pickles (protocols 2 to 5) as plain values, and back. A pickle is a program for a small stack machine that
 * may call anything; here it calls nothing. A class or function is a `Global`, a name without a meaning; what one is
 * called with goes to `call`, which knows the few that a checkpoint needs and refuses the others; objects are
 * `Instance`s, inert records of their state.
 *
 *   None, True, 1, 1.5, "s"   null, true, 1, 1.5, "s"
 *   list, tuple               Array
 *   dict, set                 Map, Set
 *   bytes                     Uint8Array
 */
import { check, FlowError } from "../errors.js";

export type Value =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | Value[]
  | Map<Value, Value>
  | Set<Value>
  | Global
  | Instance
  | object;

/** A class or a function, by name. */
export class Global {
  readonly module: string;
  readonly name: string;

  constructor(module: string, name: string) {
    this.module = module;
    this.name = name;
  }

  toString(): string {
    return `${this.module}.${this.name}`;
  }
}

/** An object of a class, with the state that it was pickled with. */
export class Instance {
  readonly type: Global;
  state: Value = null;

  constructor(type: Global) {
    this.type = type;
  }
}

export interface UnpicklerHooks {
  /** What a function or class returns for these arguments; throws where it is not known. */
  call(callee: Global, args: readonly Value[]): Value;
  /** An empty object of that class, where it may be one; throws otherwise. */
  create(type: Global): Value;
  /** What a persistent identifier stands for. */
  persistent(id: Value): Value;
}

const MARK = Symbol("mark");
/** Numbers of more bytes than this are no sizes, steps or seeds. */
const LONGEST_NUMBER = 8;

/**
 * The value of the pickle at the start of `bytes`, and its length; throws an `input` error that calls it `where` if it
 * is cut short or holds an instruction that no checkpoint needs.
 */
export function unpickle(
  bytes: Uint8Array,
  hooks: UnpicklerHooks,
  where: string,
): { value: Value; length: number } {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const damaged = () => new FlowError("input", `${where} is damaged or cut short`);
  let at = 0;
  const stack: (Value | typeof MARK)[] = [];
  const memo = new Map<number, Value>();

  const take = (length: number) => {
    if (!(length >= 0 && at + length <= bytes.length)) throw damaged();
    at += length;
    return at - length;
  };
  const u8 = () => data.getUint8(take(1));
  const u16 = () => data.getUint16(take(2), true);
  const u32 = () => data.getUint32(take(4), true);
  const u64 = () => Number(data.getBigUint64(take(8), true));
  const raw = (length: number) => {
    const from = take(length);
    return bytes.subarray(from, from + length);
  };
  const text = (length: number) => new TextDecoder().decode(raw(length));
  const line = () => {
    const end = bytes.indexOf(10, at);
    if (end < 0) throw damaged();
    const result = text(end - at);
    at++;
    return result;
  };
  const pop = (): Value => {
    const top = stack.pop();
    if (top === undefined || top === MARK) throw damaged();
    return top;
  };
  const peek = (): Value => {
    const top = stack.at(-1);
    if (top === undefined || top === MARK) throw damaged();
    return top;
  };
  const popToMark = (): Value[] => {
    const mark = stack.lastIndexOf(MARK);
    if (mark < 0) throw damaged();
    return stack.splice(mark).slice(1) as Value[];
  };
  const popMany = (count: number): Value[] => Array.from({ length: count }, pop).reverse();
  const long = (length: number): number => {
    if (length > LONGEST_NUMBER) throw damaged();
    let value = 0n;
    const digits = raw(length);
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(digits[i]);
    return Number(BigInt.asIntN(8 * length, value));
  };
  const append = (items: readonly Value[]) => {
    const list = peek();
    if (!Array.isArray(list)) throw damaged();
    for (const item of items) list.push(item);
  };
  const setItems = (items: readonly Value[]) => {
    const map = peek();
    if (!(map instanceof Map) || items.length % 2 !== 0) throw damaged();
    for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
  };
  const remember = (index: number) => memo.set(index, peek());
  const recall = (index: number) => {
    if (!memo.has(index)) throw damaged();
    stack.push(memo.get(index) as Value);
  };
  const global = (value: Value): Global => {
    if (!(value instanceof Global)) throw damaged();
    return value;
  };
  const list = (value: Value): Value[] => {
    if (!Array.isArray(value)) throw damaged();
    return value;
  };

  for (;;) {
    const opcode = String.fromCharCode(u8());
    switch (opcode) {
      case "\x80": // PROTO
        check(u8() <= 5, "input", `${where}: a pickle of a protocol above 5`);
        break;
      case "\x95": // FRAME
        take(8);
        break;
      case ".": // STOP
        return { value: pop(), length: at };
      case "(":
        stack.push(MARK);
        break;
      case "0":
        stack.pop();
        break;
      case "1":
        popToMark();
        break;
      case "2":
        stack.push(peek());
        break;
      case "N":
        stack.push(null);
        break;
      case "\x88":
        stack.push(true);
        break;
      case "\x89":
        stack.push(false);
        break;
      case "J":
        stack.push(data.getInt32(take(4), true));
        break;
      case "K":
        stack.push(u8());
        break;
      case "M":
        stack.push(u16());
        break;
      case "\x8a":
        stack.push(long(u8()));
        break;
      case "\x8b":
        stack.push(long(u32()));
        break;
      case "G":
        stack.push(data.getFloat64(take(8), false));
        break;
      case "X":
        stack.push(text(u32()));
        break;
      case "\x8c":
        stack.push(text(u8()));
        break;
      case "\x8d":
        stack.push(text(u64()));
        break;
      case "U": // strings of Python 2
        stack.push(text(u8()));
        break;
      case "T":
        stack.push(text(u32()));
        break;
      case "C":
        stack.push(raw(u8()));
        break;
      case "B":
        stack.push(raw(u32()));
        break;
      case "\x8e":
        stack.push(raw(u64()));
        break;
      case "]":
      case ")":
        stack.push([]);
        break;
      case "}":
        stack.push(new Map());
        break;
      case "\x8f":
        stack.push(new Set());
        break;
      case "t":
      case "l":
        stack.push(popToMark());
        break;
      case "\x85":
      case "\x86":
      case "\x87":
        stack.push(popMany(opcode.charCodeAt(0) - 0x84));
        break;
      case "a":
        append(popMany(1));
        break;
      case "e":
        append(popToMark());
        break;
      case "s":
        setItems(popMany(2));
        break;
      case "u":
        setItems(popToMark());
        break;
      case "\x90": {
        const items = popToMark();
        const set = peek();
        if (!(set instanceof Set)) throw damaged();
        for (const item of items) set.add(item);
        break;
      }
      case "q":
        remember(u8());
        break;
      case "r":
        remember(u32());
        break;
      case "\x94":
        remember(memo.size);
        break;
      case "h":
        recall(u8());
        break;
      case "j":
        recall(u32());
        break;
      case "c":
        stack.push(new Global(line(), line()));
        break;
      case "\x93": {
        const [module, name] = popMany(2);
        if (typeof module !== "string" || typeof name !== "string") throw damaged();
        stack.push(new Global(module, name));
        break;
      }
      case "Q":
        stack.push(hooks.persistent(pop()));
        break;
      case "R": {
        const [callee, args] = popMany(2);
        stack.push(hooks.call(global(callee), list(args)));
        break;
      }
      case "\x81": {
        const [type, args] = popMany(2);
        list(args);
        stack.push(hooks.create(global(type)));
        break;
      }
      case "b": {
        // Of dicts and other values that are no objects here, such as the attributes of an OrderedDict, nothing is kept.
        const state = pop();
        const target = peek();
        if (target instanceof Instance) target.state = state;
        break;
      }
      default:
        throw new FlowError(
          "input",
          `${where} is damaged, or holds a pickle instruction that no checkpoint needs (0x${opcode.charCodeAt(0).toString(16)})`,
        );
    }
  }
}

/** A call that stands in the pickle to be made by who reads it. */
export class Call {
  readonly callee: Global;
  readonly args: readonly Writable[];

  constructor(callee: Global, args: readonly Writable[]) {
    this.callee = callee;
    this.args = args;
  }
}

/** A whole number, or one that must stay a float although it has no fraction. */
export class Float {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** A reference to what stands outside the pickle. */
export class Persistent {
  readonly id: readonly Writable[];

  constructor(id: readonly Writable[]) {
    this.id = id;
  }
}

/** Arrays are tuples. */
export type Writable =
  | null
  | boolean
  | number
  | string
  | Float
  | Global
  | Call
  | Persistent
  | readonly Writable[]
  | ReadonlyMap<string, Writable>;

/** A pickle of protocol 2; whole numbers become ints, others floats. */
export function pickle(value: Writable): Uint8Array {
  const bytes: number[] = [];
  const scratch = new DataView(new ArrayBuffer(8));
  const put = (opcode: string, ...more: readonly number[]) => {
    bytes.push(opcode.charCodeAt(0), ...more);
  };
  const encoded = (width: 1 | 4 | 8, set: () => void): number[] => {
    set();
    return Array.from(new Uint8Array(scratch.buffer, 0, width));
  };
  const float = (x: number) => put("G", ...encoded(8, () => scratch.setFloat64(0, x, false)));
  const integer = (x: number) => {
    if (Math.abs(x) < 2 ** 31) put("J", ...encoded(4, () => scratch.setInt32(0, x, true)));
    else put("\x8a", 8, ...encoded(8, () => scratch.setBigInt64(0, BigInt(x), true)));
  };
  const write = (x: Writable): void => {
    if (x === null) put("N");
    else if (typeof x === "boolean") put(x ? "\x88" : "\x89");
    else if (typeof x === "number") (Number.isSafeInteger(x) ? integer : float)(x);
    else if (x instanceof Float) float(x.value);
    else if (typeof x === "string") {
      const utf8 = new TextEncoder().encode(x);
      put("X", ...encoded(4, () => scratch.setUint32(0, utf8.length, true)));
      for (const byte of utf8) bytes.push(byte);
    } else if (x instanceof Global) {
      put("c");
      for (const byte of new TextEncoder().encode(`${x.module}\n${x.name}\n`)) bytes.push(byte);
    } else if (x instanceof Call) {
      write(x.callee);
      write(x.args);
      put("R");
    } else if (x instanceof Persistent) {
      write(x.id);
      put("Q");
    } else if (Array.isArray(x)) {
      put("(");
      for (const item of x) write(item);
      put("t");
    } else {
      put("}");
      put("(");
      for (const [key, item] of x as ReadonlyMap<string, Writable>) {
        write(key);
        write(item);
      }
      put("u");
    }
  };
  put("\x80", 2);
  write(value);
  put(".");
  return Uint8Array.from(bytes);
}

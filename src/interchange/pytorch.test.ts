import fc from "fast-check";
import { expect, it } from "vitest";
import { FlowError } from "../errors.js";
import { Call, Global, pickle } from "./pickle.js";
import { decodeTorch, encodeTorch, Tensor } from "./pytorch.js";
import { readZip, writeZip } from "./zip.js";

const saved = () =>
  encodeTorch(
    new Map<string, string | number | boolean | null | Tensor>([
      ["w", Tensor.of([2, 3], [1, -2, 3.25, 4, 5, 6])],
      ["half", Tensor.of([2], [0.5, 1 / 3], "float32")],
      ["steps", Tensor.of([], [7], "int64")],
      ["name", "straße"],
      ["large", 2 ** 40],
      ["negative", -3],
      ["fraction", 0.1],
      ["yes", true],
      ["nothing", null],
    ]),
  );

it("reads what it has written", () => {
  const read = decodeTorch(saved()) as Map<string, unknown>;
  const tensor = (name: string) => read.get(name) as Tensor;
  expect([tensor("w").shape, tensor("w").values]).toEqual([[2, 3], Float64Array.of(1, -2, 3.25, 4, 5, 6)]);
  expect(tensor("half").values).toEqual(Float64Array.of(0.5, Math.fround(1 / 3)));
  expect([tensor("steps").shape, tensor("steps").values]).toEqual([[], Float64Array.of(7)]);
  const rest = ["name", "large", "negative", "fraction", "yes", "nothing"].map((name) => read.get(name));
  expect(rest).toEqual(["straße", 2 ** 40, -3, 0.1, true, null]);
});

const archive = (value: Parameters<typeof pickle>[0]) =>
  writeZip(new Map([["archive/data.pkl", pickle(value)]]));

it("runs nothing: a call that no checkpoint needs is refused by its name", () => {
  const call = (module: string, name: string) =>
    archive(new Map([["x", new Call(new Global(module, name), ["true"])]]));
  expect(() => decodeTorch(call("os", "system"), "bad.pth")).toThrow(
    "bad.pth calls os.system, which no checkpoint of these models needs; it is not opened, and nothing in it was run",
  );
  expect(() => decodeTorch(call("builtins", "eval"))).toThrow("calls builtins.eval");
  expect(() => decodeTorch(call("constructor", "toString"))).toThrow("calls constructor.toString");
});

it("says what a file is that is none of torch.save", () => {
  const text = (content: string) => new TextEncoder().encode(content);
  expect(() => decodeTorch(text("hello"), "a.txt")).toThrow("a.txt is no checkpoint of PyTorch");
  expect(() => decodeTorch(writeZip(new Map([["a/b.npy", text("x")]])), "b.npz")).toThrow(
    "it has no data.pkl",
  );
  const script = new Map([
    ["m/data.pkl", pickle(1)],
    ["m/constants.pkl", pickle(1)],
  ]);
  expect(() => decodeTorch(writeZip(script), "m.pt")).toThrow("m.pt is a TorchScript program");
});

it("compares the checksums of an archive", () => {
  const bytes = writeZip(new Map([["name", new TextEncoder().encode("content")]]));
  expect([...readZip(bytes, "z").keys()]).toEqual(["name"]);
  bytes[30 + "name".length] ^= 1;
  expect(() => readZip(bytes, "z.pth")).toThrow("z.pth is damaged: the checksum of 'name' is wrong");
});

it("ends with a sentence on every damaged file", () => {
  const whole = saved();
  const read = (bytes: Uint8Array) => {
    try {
      const value = decodeTorch(bytes);
      if (value instanceof Map)
        for (const item of value.values()) if (item instanceof Tensor) void item.values;
    } catch (error) {
      expect(error).toBeInstanceOf(FlowError);
    }
  };
  const place = fc.nat({ max: whole.length - 1 });
  fc.assert(
    fc.property(place, fc.integer({ min: 1, max: 255 }), (at, flip) =>
      read(whole.map((b, i) => (i === at ? b ^ flip : b))),
    ),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(place, (length) => read(whole.subarray(0, length))),
    { numRuns: 100 },
  );
  // Without the archive's checksum around it.
  const content = readZip(whole, "whole");
  const pickled = content.get("archive/data.pkl") as Uint8Array;
  fc.assert(
    fc.property(fc.nat({ max: pickled.length - 1 }), fc.nat({ max: 255 }), (at, byte) => {
      const damaged = pickled.map((b, i) => (i === at ? byte : b));
      read(writeZip(new Map([...content, ["archive/data.pkl", damaged]])));
    }),
    { numRuns: 500 },
  );
});

import { expect, it } from "vitest";
import { FlowError, quoted } from "./errors.js";

it("quotes foreign text so that a terminal shows it on one line", () => {
  expect(quoted("a.weight")).toBe("'a.weight'");
  expect(quoted("\u001b[31mred\u001b[0m\nnext\u009b2J\u202eback")).toBe(
    "'\\u001b[31mred\\u001b[0m\\u000anext\\u009b2J\\u202eback'",
  );
  expect(quoted("café 数字 🙂")).toBe("'café 数字 🙂'");
  expect(quoted("half \ud800 pair")).toBe("'half \\ud800 pair'");
});

it("cuts what is long", () => {
  const long = quoted(`${"a".repeat(1e6)}end`);
  expect(long.length).toBeLessThan(90);
  expect(long).toMatch(/^'a+…a+end'$/);
  expect(quoted({ dtype: "F64", shape: Array(1e5).fill(1) }).length).toBeLessThan(90);
  expect(new FlowError("input", `x: ${"y".repeat(1e6)}`).message.length).toBeLessThan(2_001);
});

it("quotes any value", () => {
  expect([null, undefined, 5, "5", [-5], Number.NaN, 10n].map(quoted)).toEqual([
    "null",
    "undefined",
    "5",
    "'5'",
    "[-5]",
    "NaN",
    "10",
  ]);
});

it("keeps messages to one printable line, whatever they quote", () => {
  const { message } = new FlowError("run", "lost \u001b]0;title\u0007 in\nfolder");
  expect(message).toBe("lost \\u001b]0;title\\u0007 in\\u000afolder");
});

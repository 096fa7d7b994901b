import { afterEach, expect, it, vi } from "vitest";
import { FailedRows } from "../flows/failed-rows.js";
import { notFinite } from "../flows/json.js";
import { failureCounts, orNull, report, requireAll } from "./output.js";

afterEach(() => {
  vi.restoreAllMocks();
});

/** What a report writes to stdout, and the error that it ends with. */
function reported(json: boolean, result: object, lines: readonly string[] = []) {
  let written = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    written += text;
    return true;
  });
  try {
    report(json, result, lines);
    return { written, error: null };
  } catch (error) {
    return { written, error };
  }
}

it("a result is one line of JSON, or its lines", () => {
  const result = { loss: 1.5, gap: null, blocks: [{ bound: 0.5 }] };
  expect(reported(true, result, ["a"])).toEqual({ written: `${JSON.stringify(result)}\n`, error: null });
  expect(reported(false, result, ["a", "b"])).toEqual({ written: "a\nb\n", error: null });
});

it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  "a result with %d that nobody accounts for is null in JSON and an error",
  (value) => {
    const result = { loss: 1, blocks: [{ bound: 0.5 }, { bound: value }] };
    const { written, error } = reported(true, result);
    expect(JSON.parse(written)).toEqual({ loss: 1, blocks: [{ bound: 0.5 }, { bound: null }] });
    expect(error).toMatchObject({
      code: "numerical",
      message: "the result has no number for blocks.1.bound",
    });
    expect(reported(false, result, ["a"]).error).toEqual(error);
  },
);

it("finds the number that is none", () => {
  expect(notFinite({ a: [1, 2], b: "NaN", c: null, d: undefined, e: true })).toBeNull();
  expect(notFinite({ a: 1, b: Number.NaN })).toBe("b");
  expect([orNull(0), orNull(Number.NaN), orNull(Number.NEGATIVE_INFINITY)]).toEqual([0, null, null]);
});

it("rows that fail end a command with the run to verify", () => {
  const failures = new FailedRows();
  failures.rows = 4;
  requireAll(failures, "row", "runs/a");
  failures.add(1, 3);
  expect(failureCounts(failures)).toEqual({ unconverged: 1, notFinite: 0 });
  expect(() => requireAll(failures, "row", "runs/a")).toThrow(
    "1 of 4 rows failed: the solver missed its tolerance in block 3; monotone-flows verify runs/a tells whether",
  );
});

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { inputsOf, isCurrent, record } from "../scripts/build/stamp.js";

it("builds again after every change of the sources or of what was built, and of nothing else", () => {
  const root = mkdtempSync(join(tmpdir(), "build-"));
  const build = {
    root,
    inputs: ["src", "package.json"],
    outputs: ["dist", "src/made.ts"],
    stamp: "cache/build.json",
  };
  const write = (file: string, content: string) => {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), content);
  };
  const remove = (file: string) => rmSync(join(root, file));
  const again = (change: () => void) => {
    change();
    const was = isCurrent(build);
    write("src/made.ts", "made");
    record(build, inputsOf(build));
    return !was;
  };
  try {
    write("package.json", "{}");
    write("src/deep/a.ts", "a");
    write("dist/a.js", "a");
    expect(again(() => {})).toBe(true);
    expect(again(() => {})).toBe(false);
    expect(again(() => write("src/deep/a.ts", "b"))).toBe(true);
    expect(again(() => write("src/b.ts", ""))).toBe(true);
    expect(again(() => remove("src/b.ts"))).toBe(true);
    expect(again(() => write("package.json", "{ }"))).toBe(true);
    expect(again(() => write("dist/a.js", "b"))).toBe(true);
    expect(again(() => write("dist/old.js", "a"))).toBe(true);
    expect(again(() => remove("dist/a.js"))).toBe(true);
    expect(again(() => remove("src/made.ts"))).toBe(true);
    expect(again(() => remove("cache/build.json"))).toBe(true);
    expect(again(() => write("src/deep/a.test.ts", "a"))).toBe(false);
    expect(again(() => write("docs/a.md", "a"))).toBe(false);

    // A source that changes during its build has not been built.
    const inputs = inputsOf(build);
    write("src/deep/a.ts", "c");
    record(build, inputs);
    expect(isCurrent(build)).toBe(false);
  } finally {
    rmSync(root, { recursive: true });
  }
});

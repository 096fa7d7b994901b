import { cpSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { expectComplaint, json, run, snapshot, temporary, writeTable } from "./cli.js";

const folder = temporary();
writeTable(join(folder, "table.csv"), { columns: 2 });

beforeAll(async () => {
  const quick = ["--steps", "3", "--batch", "20", "--threads", "1"];
  await json(folder, "train", "--data", "table.csv", ...quick, "--out", "run");
  // The data of a run of its own, to be changed.
  writeTable(join(folder, "other.csv"), { columns: 2 });
  await json(folder, "train", "--data", "other.csv", ...quick, "--out", "changed");
  writeTable(join(folder, "other.csv"), { columns: 2, rows: 121 });
}, 60_000);

const path = (...names: string[]) => join(folder, ...names);

/** Halves a file. */
function cut(...names: string[]): void {
  truncateSync(path(...names), Math.floor(readFileSync(path(...names)).length / 2));
}

const checkpoint = ["checkpoint", "step-00000003.safetensors"];

const cases: [string, string[], RegExp, (name: string) => void][] = [
  [
    "that is missing",
    ["evaluate"],
    /there is no run directory/,
    (name) => rmSync(path(name), { recursive: true }),
  ],
  [
    "that is a file",
    ["verify"],
    /there is no run directory/,
    (name) => {
      rmSync(path(name), { recursive: true });
      writeFileSync(path(name), "");
    },
  ],
  [
    "that is empty",
    ["resume"],
    /is not a run directory, or .* cut short: it has no config\.json/,
    (name) => {
      rmSync(path(name), { recursive: true });
      mkdirSync(path(name));
    },
  ],
  [
    "with half a configuration",
    ["evaluate", "resume"],
    /config\.json is not valid JSON/,
    (name) => cut(name, "config.json"),
  ],
  [
    "of another version",
    ["evaluate", "resume"],
    /was written by another version \(format 99; this one reads format \d+\)/,
    (name) => edit(name, (config) => ({ ...config, format: 99 })),
  ],
  [
    "with a damaged configuration",
    ["evaluate"],
    /config\.json is damaged at training/,
    (name) => edit(name, ({ training: _, ...config }) => config),
  ],
  [
    "without a model",
    ["evaluate", "sample", "verify", "score"],
    /has no model yet: .*--resume/,
    (name) => rmSync(path(name, "model.safetensors")),
  ],
  [
    "with half a model",
    ["evaluate", "sample"],
    /model\.safetensors is cut short/,
    (name) => cut(name, "model.safetensors"),
  ],
  [
    "with an empty model",
    ["score"],
    /model\.safetensors is not a safetensors file, or is cut short/,
    (name) => truncateSync(path(name, "model.safetensors")),
  ],
  ["with half a declaration", ["evaluate"], /flow\.json is not valid JSON/, (name) => cut(name, "flow.json")],
  [
    "with the weights of another flow",
    ["sample"],
    /flow\.json is not what .*model\.safetensors was written with/,
    (name) =>
      writeFileSync(
        path(name, "flow.json"),
        readFileSync(path(name, "flow.json"), "utf8").replaceAll('"depth": 3', '"depth": 4'),
      ),
  ],
  [
    "with half a checkpoint",
    ["resume"],
    /step-00000003\.safetensors is cut short/,
    (name) => cut(name, ...checkpoint),
  ],
  [
    "with a model but no checkpoint",
    ["resume"],
    /has a model but no checkpoint/,
    (name) => rmSync(path(name, ...checkpoint)),
  ],
];

function edit(name: string, change: (config: Record<string, unknown>) => object): void {
  const file = path(name, "config.json");
  writeFileSync(file, JSON.stringify(change(JSON.parse(readFileSync(file, "utf8")))));
}

const call = (command: string, name: string) => {
  if (command === "resume") return run(folder, "train", "--resume", name, "--steps", "5");
  return run(folder, command, name, ...(command === "score" ? ["--data", "table.csv"] : []));
};

it.each(cases)("refuses a run %s", async (what, commands, pattern, damage) => {
  const name = what.replaceAll(" ", "-");
  cpSync(path("run"), path(name), { recursive: true });
  damage(name);
  const before = snapshot(folder);
  for (const result of await Promise.all(commands.map((command) => call(command, name)))) {
    expectComplaint(result, pattern);
    expect(result.stderr).toContain(name);
  }
  expect(snapshot(folder)).toEqual(before);
});

it("refuses a run whose data have changed, but for what needs no data", async () => {
  const before = snapshot(folder);
  for (const command of ["evaluate", "resume"]) {
    expectComplaint(await call(command, "changed"), /other\.csv has changed since the run was started/);
  }
  expect(snapshot(folder)).toEqual(before);
  expect((await json(folder, "score", "changed", "--data", "other.csv")).rows).toBe(121);
  rmSync(path("other.csv"));
  expectComplaint(await call("evaluate", "changed"), /other\.csv.*no such file/);
});

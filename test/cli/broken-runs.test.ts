import { cpSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { reseal } from "../support/run-directory.js";
import { call, expectComplaint, json, run, snapshot, temporary, writeTable } from "./cli.js";

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
    /was written by another version \(format 99; this one reads format 2 and before\)/,
    (name) => edit(name, (config) => ({ ...config, format: 99 })),
  ],
  [
    "with a changed configuration",
    ["evaluate"],
    /config\.json is not what its folder's manifest\.json lists/,
    (name) => edit(name, (config) => ({ ...config, preset: "other" })),
  ],
  [
    "with a configuration that lacks something",
    ["evaluate"],
    /config\.json is damaged at training/,
    (name) => {
      edit(name, ({ training: _, ...config }) => config);
      reseal(path(name));
    },
  ],
  [
    "without a model",
    ["evaluate", "sample", "verify", "score"],
    /has no model yet: .*--resume/,
    (name) => {
      for (const file of ["model.safetensors", "flow.json", "summary.json"]) rmSync(path(name, file));
      reseal(path(name));
    },
  ],
  [
    "with half a model",
    ["evaluate", "sample"],
    /model\.safetensors is not what its folder's manifest\.json lists/,
    (name) => cut(name, "model.safetensors"),
  ],
  [
    "with an empty model",
    ["score"],
    /model\.safetensors is not what its folder's manifest\.json lists/,
    (name) => truncateSync(path(name, "model.safetensors")),
  ],
  [
    "with half a declaration",
    ["evaluate"],
    /flow\.json is not what its folder's/,
    (name) => cut(name, "flow.json"),
  ],
  [
    "with the weights of another flow",
    ["sample"],
    /flow\.json is not what .*model\.safetensors was written with/,
    (name) => {
      const declaration = readFileSync(path(name, "flow.json"), "utf8");
      writeFileSync(path(name, "flow.json"), declaration.replaceAll('"depth": 3', '"depth": 4'));
      reseal(path(name));
    },
  ],
  [
    "with half a checkpoint",
    ["resume"],
    /step-00000003\.safetensors is cut short/,
    (name) => cut(name, ...checkpoint),
  ],
  [
    "that another process trains",
    ["resume", "train"],
    new RegExp(
      `process ${process.pid} is training in that-another-process-trains: wait for its end, or stop it`,
    ),
    (name) =>
      writeFileSync(
        path(name, "run.lock"),
        JSON.stringify({ host: hostname(), pid: process.pid, started: null }),
      ),
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

const use = (command: string, name: string) => {
  if (command === "train") return run(folder, command, "--out", name);
  if (command === "resume") return run(folder, "train", "--resume", name, "--steps", "5");
  return call(folder, command, name, ...(command === "score" ? ["--data", "table.csv"] : []));
};

it.each(cases)("refuses a run %s", async (what, commands, pattern, damage) => {
  const name = what.replaceAll(" ", "-");
  cpSync(path("run"), path(name), { recursive: true });
  damage(name);
  const before = snapshot(folder);
  for (const result of await Promise.all(commands.map((command) => use(command, name)))) {
    expectComplaint(result, pattern);
    expect(result.stderr).toContain(name);
  }
  expect(snapshot(folder)).toEqual(before);
});

it("refuses a run whose data have changed, but for what needs no data", async () => {
  const before = snapshot(folder);
  for (const command of ["evaluate", "resume"]) {
    expectComplaint(await use(command, "changed"), /other\.csv has changed since the run was started/);
  }
  expect(snapshot(folder)).toEqual(before);
  expect((await json(folder, "score", "changed", "--data", "other.csv")).rows).toBe(121);
  rmSync(path("other.csv"));
  expectComplaint(await use("evaluate", "changed"), /other\.csv.*no such file/);
});

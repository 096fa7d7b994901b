/** Many runs at a time, each in a process of its own: the built modules, which start their children themselves. */
import { type ChildProcess, execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { version } from "../../src/manifest.js";
import { snapshot, start, temporary } from "./cli.js";

type TrainRuns = typeof import("../../src/experiments/train-runs.js");
type Protocol = typeof import("../../src/experiments/planar/protocol.js");

const built = fileURLToPath(new URL("../../dist/src/experiments", import.meta.url));
const { trainRuns } = (await import(pathToFileURL(join(built, "train-runs.js")).href)) as TrainRuns;
const protocol = (await import(pathToFileURL(join(built, "planar/protocol.js")).href)) as Protocol;

const folder = temporary();

/** A small run of the protocol. */
function planned(group: string, data: string, training: object = {}) {
  const config = protocol.configOf(
    { data, model: protocol.monotoneFlows, recipe: "original" },
    protocol.quick,
    0,
  );
  const { l2, seed } = config.training;
  return {
    path: join(folder, group, data),
    config: {
      ...config,
      version,
      checkpointEvery: 5,
      training: { l2, seed, steps: 12, batch: 30, learningRate: 1e-3, ...training },
    },
  };
}

const model = (group: string, data: string) => readFileSync(join(folder, group, data, "model.safetensors"));

it("gives the same models however many are trained at a time, and trains none twice", async () => {
  const data = ["moons", "rings", "circles"];
  const lines: string[] = [];
  await trainRuns(
    data.map((name) => planned("alone", name)),
    1,
    () => {},
  );
  await trainRuns(
    data.map((name) => planned("together", name)),
    3,
    (line) => lines.push(line),
  );
  for (const name of data) expect(model("together", name).equals(model("alone", name))).toBe(true);
  expect(lines.at(-1)).toBe("3 of 3 models trained");

  const before = snapshot(join(folder, "together"));
  await trainRuns(
    data.map((name) => planned("together", name)),
    3,
    () => {},
  );
  expect(snapshot(join(folder, "together"))).toEqual(before);
});

it("ends with the error of a run that fails, and goes on with the others afterwards", async () => {
  const wild = planned("failing", "moons", { learningRate: 1e30 });
  const long = planned("failing", "rings", { steps: 400 });
  await expect(trainRuns([wild, long], 2, () => {})).rejects.toMatchObject({
    code: "numerical",
    message: expect.stringMatching(/^moons: .* at step \d+, in block \d+ \(monotone\); /),
  });
  expect(existsSync(join(long.path, "summary.json"))).toBe(false);
  await trainRuns([long], 2, () => {});
  expect(existsSync(join(long.path, "summary.json"))).toBe(true);
  const other = planned("failing", "rings", { steps: 9 });
  await expect(trainRuns([other], 2, () => {})).rejects.toMatchObject({
    code: "run",
    message: expect.stringMatching(/rings was started with another configuration; choose another folder$/),
  });
});

/** The processes that a process has started. */
const childrenOf = ({ pid }: ChildProcess) =>
  execFileSync("ps", ["-o", "pid=", "--ppid", String(pid)], { encoding: "utf8" })
    .trim()
    .split(/\s+/)
    .map(Number);

const metrics = (run: string) => join(folder, "quick", "runs", run, "metrics.jsonl");

it.skipIf(process.platform !== "linux")(
  "stops a reproduction with its children: when it is told to, and when one of them is killed",
  async () => {
    const begin = async () => {
      const { child, end } = start(folder, "reproduce", "2d", "--quick", "--threads", "2", "--out", "quick");
      const first = metrics("2spirals-i-densenet");
      const lines = () => (existsSync(first) ? readFileSync(first, "utf8").split("\n").length : 0);
      const already = lines();
      while (lines() < already + 3 && child.exitCode === null) await sleep(20);
      return { child, end, children: childrenOf(child) };
    };
    const interrupted = await begin();
    expect(interrupted.children).toHaveLength(2);
    interrupted.child.kill("SIGINT");
    const stopped = await interrupted.end;
    expect(stopped.stderr).toMatch(
      /\nmonotone-flows: stopped; the same command goes on from the checkpoints\n$/,
    );
    expect(stopped.code).toBe(1);
    const checkpoint = join(folder, "quick", "runs", "2spirals-i-densenet", "checkpoint");
    expect(readdirSync(checkpoint)).toHaveLength(1);

    const killed = await begin();
    process.kill(killed.children[0], "SIGKILL");
    const ended = await killed.end;
    expect(ended.stderr).toMatch(
      /\nmonotone-flows: the training of 2spirals-[\w-]+ was killed by SIGKILL; the same command goes on from its last checkpoint\n$/,
    );
    expect(ended.code).toBe(1);
    for (const pid of [...interrupted.children, ...killed.children]) {
      expect(() => process.kill(pid, 0)).toThrow("ESRCH");
    }
  },
  60_000,
);

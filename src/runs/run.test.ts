import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { seeded } from "../../test/support/property.js";
import { checkpointOf, engine, finishedRun, tinyConfig } from "../../test/support/run-directory.js";
import { Flow } from "../flows/flow.js";
import { announced, encodeManifest, MANIFEST_FILE } from "../flows/manifest.js";
import { encodeFlow } from "../flows/model-encoding.js";
import { saveFlow } from "../flows/model-files.js";
import { decodeSafetensors, encodeSafetensors, type Tensor } from "../flows/safetensors.js";
import { findCheckpoint, loadCheckpoint, saveCheckpoint } from "./checkpoint.js";
import { Run, type RunConfig } from "./run.js";

const folder = mkdtempSync(join(tmpdir(), "run-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

const at = (...names: string[]) => join(folder, ...names);
const original = await finishedRun(at("run"));
const flow = await original.loadModel({ engine });
const CHECKPOINT = join("checkpoint", "step-00000020.safetensors");

let copies = 0;
/** A copy of the run, after some harm. */
function copy(harm: (path: string) => void = () => {}): string {
  const path = at(`copy ${copies++}`);
  cpSync(original.path, path, { recursive: true });
  harm(path);
  return path;
}

const edit = (name: string, change: (text: string) => string) => (path: string) =>
  writeFileSync(join(path, name), change(readFileSync(join(path, name), "utf8")));

/** All that commands read of a run. */
async function read(path: string) {
  const run = Run.open(path);
  const model = await run.loadModel({ engine });
  return {
    config: run.config,
    values: model.parameters.values,
    summary: run.summary(),
    metrics: run.metrics(),
    checkpoint: loadCheckpoint(run.file("checkpoint"), run),
    remark: run.remark(),
  };
}

const whole = await read(original.path);

describe("a run directory", () => {
  it("gives back what was written", () => {
    expect(whole.config).toEqual(tinyConfig());
    expect(whole.values).toEqual(flow.parameters.values);
    expect(whole.summary?.testLoss).toBe(1.8);
    expect(whole.metrics.map(({ step }) => step)).toEqual([10, 20]);
    expect(whole.checkpoint).toEqual(checkpointOf(flow, 20));
    expect(whole.remark).toBe(null);
  });

  const files = [
    "config.json",
    "flow.json",
    "model.safetensors",
    "summary.json",
    "metrics.jsonl",
    "manifest.json",
    CHECKPOINT,
  ];

  it("notices any bit that flips in any of its files, and names the file or the one it disagrees with", async () => {
    const path = copy();
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...files), fc.nat(), async (name, place) => {
        const bytes = readFileSync(join(path, name));
        const damaged = new Uint8Array(bytes);
        const bit = place % (8 * bytes.length);
        damaged[bit >> 3] ^= 1 << (bit & 7);
        writeFileSync(join(path, name), damaged);
        try {
          await expect(read(path)).rejects.toMatchObject({
            name: "FlowError",
            message: expect.stringContaining(name === MANIFEST_FILE ? path : name),
          });
        } finally {
          writeFileSync(join(path, name), bytes);
        }
      }),
      seeded(80),
    );
    expect(await read(path)).toEqual(whole);
  });

  it("refuses a file of another run, naming it", async () => {
    const others = [tinyConfig({ seed: 1 }), tinyConfig({ formulation: "residual" })];
    for (const [i, config] of others.entries()) {
      const other = await finishedRun(at(`other ${i}`), config);
      for (const name of ["config.json", "flow.json", "model.safetensors", CHECKPOINT, "manifest.json"]) {
        const mixed = copy((path) => cpSync(other.file(name), join(path, name)));
        if (readFileSync(other.file(name)).equals(readFileSync(original.file(name)))) continue;
        await expect(read(mixed), name).rejects.toThrow(name === "manifest.json" ? mixed : join(mixed, name));
      }
      const model = copy((path) => {
        for (const name of ["flow.json", "model.safetensors"]) cpSync(other.file(name), join(path, name));
      });
      await expect(read(model)).rejects.toThrow(/is not what its folder's manifest\.json lists/);
    }
  });

  it("refuses a model that was put there with another formulation than the configuration's", async () => {
    const path = copy();
    saveFlow(await Flow.create(tinyConfig({ formulation: "residual" }).flow, { engine }), path);
    await expect(read(path)).rejects.toThrow(
      /flow\.json declares another flow than config\.json \(bijections\.0\.kind is 'residual', not 'monotone'\)/,
    );
  });

  const damages: [string, (path: string) => void, RegExp][] = [
    ["no manifest", (path) => rmSync(join(path, "manifest.json")), /has no manifest\.json beside it/],
    ["a manifest null", edit("manifest.json", () => "null"), /manifest\.json is damaged at its top/],
    [
      "a file that the manifest does not list",
      edit("manifest.json", (text) =>
        text.replace(/\n *"summary\.json": "\w+"/, "").replace(/",\n {2}\}/, '"\n  }'),
      ),
      /summary\.json is not in the manifest/,
    ],
    ["no declaration", (path) => rmSync(join(path, "flow.json")), /flow\.json is missing/],
    ["no weights", (path) => rmSync(join(path, "model.safetensors")), /model\.safetensors is missing/],
    ["no metrics", (path) => rmSync(join(path, "metrics.jsonl")), /metrics\.jsonl is missing/],
    [
      "a key twice",
      edit("config.json", (text) => text.replace("{", '{"format": 2,')),
      /has the key 'format' twice/,
    ],
    ["a link to nowhere", (path) => link(join(path, "summary.json")), /cannot read .*summary\.json/],
    [
      "a configuration that is a link to nowhere",
      (path) => link(join(path, "config.json")),
      /cannot read .*config/,
    ],
    [
      "checkpoints that are a link to nowhere",
      (path) => link(join(path, "checkpoint")),
      /cannot read .*checkpoint/,
    ],
    [
      "a folder as model",
      (path) => folderAt(join(path, "model.safetensors")),
      /cannot read .*: it is a folder/,
    ],
  ];

  function link(path: string): void {
    rmSync(path, { recursive: true });
    symlinkSync(`${path}.nowhere`, path);
  }

  function folderAt(path: string): void {
    rmSync(path);
    mkdirSync(path);
  }

  it.each(damages)("is refused with %s", async (_, harm, complaint) => {
    await expect(read(copy(harm))).rejects.toThrow(complaint);
    await expect(read(copy(harm))).rejects.toMatchObject({ name: "FlowError" });
  });

  it("says that a link to nowhere is no run directory", () => {
    symlinkSync(at("nowhere"), at("dangling"));
    expect(() => Run.open(at("dangling"))).toThrow(/there is no run directory/);
  });
});

describe("a run directory of an earlier version", () => {
  /** Without manifest, checksums and identities. */
  const early = (harm: (path: string) => void = () => {}) =>
    copy((path) => {
      rmSync(join(path, "manifest.json"));
      edit("config.json", (text) => text.replace('"format": 2', '"format": 1'))(path);
      for (const name of ["model.safetensors", CHECKPOINT]) {
        const { tensors, metadata } = decodeSafetensors(readFileSync(join(path, name)), name);
        const { step } = metadata;
        const own: Record<string, string> = step ? { step } : { format: "monotone-flows" };
        writeFileSync(join(path, name), encodeSafetensors({ tensors, metadata: own }));
      }
      harm(path);
    });

  it("is read, with a remark that nothing guards it", async () => {
    const { remark, ...content } = await read(early());
    expect(remark).toMatch(
      /was written by an earlier version without checksums: changes of config\.json, .* cannot/,
    );
    expect({ ...content, config: { ...content.config, format: 2 }, remark: null }).toEqual(whole);
  });

  it("is guarded once it has been trained further", async () => {
    const path = early();
    const run = Run.open(path);
    run.writeConfig();
    expect(run.remark()).toMatch(/changes of flow\.json, model\.safetensors, summary\.json since then/);
    saveCheckpoint(run.file("checkpoint"), checkpointOf(flow, 30), run.identity);
    run.writeModel(encodeFlow(flow));
    run.writeSummary({ ...(whole.summary as NonNullable<typeof whole.summary>), steps: 30 });
    const { remark, checkpoint, summary } = await read(path);
    expect([remark, checkpoint?.step, summary?.steps]).toEqual([null, 30, 30]);
    edit("summary.json", (text) => text.replace("1.8", "1.7"))(path);
    await expect(read(path)).rejects.toThrow(/summary\.json is not what/);
  });
});

describe("a process that is killed while it replaces files", () => {
  it("leaves a directory that is read, before and after each of its writes", async () => {
    const path = copy();
    const next = await Flow.create(tinyConfig().flow, { engine, seed: 7 });
    const encoded = encodeFlow(next);
    const before = encodeManifest(new Map());
    expect(before).toContain("files");
    // The manifest comes first; then the summary goes, then weights and declaration come.
    const listing = new Map(
      Object.entries(
        JSON.parse(readFileSync(join(path, MANIFEST_FILE), "utf8")).files as Record<string, string>,
      ).map(([name, hash]) => [name, [hash]]),
    );
    const contents = {
      "summary.json": null,
      "model.safetensors": encoded.weights,
      "flow.json": encoded.declaration,
    };
    writeFileSync(join(path, MANIFEST_FILE), encodeManifest(announced(listing, contents)));
    expect((await read(path)).summary?.steps).toBe(20);
    rmSync(join(path, "summary.json"));
    expect((await read(path)).values).toEqual(flow.parameters.values);
    writeFileSync(join(path, "model.safetensors"), encoded.weights);
    expect((await read(path)).values).toEqual(next.parameters.values);
    // And goes on from there.
    Run.open(path).writeModel(encoded);
    expect((await read(path)).summary).toBe(null);
  });

  it("leaves a run as it is where another one is to start in its place", async () => {
    const path = copy();
    expect(() => Run.create(path, tinyConfig({ seed: 5 }))).toThrow(/is not empty; choose another folder/);
    expect(await read(path)).toEqual(whole);
    expect(readdirSync(path)).not.toContain("run.lock");
  });

  it("takes back the manifest of a start that fails, and the folder that it has made", () => {
    const path = at("half-born");
    // In the place of what the configuration is written to first.
    mkdirSync(join(path, `config.json.${process.pid}.partial`), { recursive: true });
    expect(() => Run.create(path, tinyConfig())).toThrow(/cannot write .*config\.json: it is a folder/);
    expect(readdirSync(path)).toEqual([`config.json.${process.pid}.partial`]);
    const unwritable = { ...tinyConfig(), version: 1n as unknown as string };
    expect(() => Run.create(at("unmade", "run"), unwritable)).toThrow(/BigInt/);
    expect(existsSync(at("unmade"))).toBe(false);
  });

  it("leaves one that is started again, if it had no configuration yet", () => {
    const path = at("unborn");
    Run.create(path, tinyConfig());
    rmSync(join(path, "config.json"));
    expect(() => Run.open(path)).toThrow(/its first writing was cut short: it has no config\.json/);
    expect(Run.create(path, tinyConfig({ seed: 5 })).config.training.seed).toBe(5);
    expect(Run.open(path).config.training.seed).toBe(5);
  });
});

describe("metrics", () => {
  const line = '{"step":30,"loss":1.5,"evaluations":5,"unconverged":0,"seconds":3}\n';
  const going = (tail: string) => {
    const path = copy();
    const run = Run.open(path);
    run.truncateMetrics(20);
    appendFileSync(join(path, "metrics.jsonl"), tail);
    return run;
  };

  it("are read without a last line that is cut short, which is forgotten when training goes on", () => {
    expect(going(line).metrics()).toHaveLength(3);
    const run = going(line.slice(0, 30));
    expect(run.metrics()).toHaveLength(2);
    run.truncateMetrics(20);
    expect(readFileSync(run.file("metrics.jsonl"), "utf8")).toMatch(/^(\{.*\}\n){2}$/);
  });

  it.each([
    ["null", "null\n", /line 3 is damaged at its top.*remove the line/],
    ["no JSON", "{\n", /line 3 is not valid JSON/],
    ["no step", line.replace("step", "stop"), /line 3 is damaged at step/],
    ["half a step", line.replace("30", "30.5"), /line 3 is damaged at step/],
    ["an infinite loss", line.replace("1.5", "1e999"), /line 3 is damaged at loss/],
    ["a step of before", line.replace("30", "20"), /line 3 is of step 20, but stands behind one of step 20/],
    ["a line cut short in between", `${line.slice(0, 30)}\n${line}`, /line 3 is not valid JSON/],
  ])("are refused with a line of %s", (_, tail, complaint) => {
    const run = going(tail);
    expect(() => run.metrics()).toThrow(complaint);
    expect(() => run.metrics()).toThrow(run.file("metrics.jsonl"));
  });

  it("may hold a test loss that was not finite, which JSON calls null", () => {
    const run = going("");
    run.appendMetrics({ step: 30, loss: 1, evaluations: 1, unconverged: 0, seconds: 3, testLoss: Infinity });
    expect(run.metrics().at(-1)?.testLoss).toBe(undefined);
  });
});

describe("a checkpoint", () => {
  const owner = { identity: original.identity, withoutChecksums: false };
  const bytes = readFileSync(original.file(CHECKPOINT));
  const good = decodeSafetensors(bytes, "x");

  /** A folder with this checkpoint beside an older, good one or alone. */
  function holding(content: Uint8Array, name = "step-00000020.safetensors"): string {
    const path = at(`checkpoints ${copies++}`);
    mkdirSync(path);
    writeFileSync(join(path, name), content);
    return path;
  }
  const sealed = (tensors: Map<string, Tensor>, metadata = good.metadata) =>
    encodeSafetensors({ tensors, metadata }, { sealed: true });
  const withValue = (name: string, value: number) => {
    const { shape, values } = good.tensors.get(name) as Tensor;
    return sealed(new Map([...good.tensors, [name, { shape, values: values.with(0, value) }]]));
  };
  const [weight] = good.tensors.keys();

  it.each<[string, Uint8Array, RegExp]>([
    ["NaN", withValue(weight, Number.NaN), /'parameters\/bijections.*' holds NaN/],
    ["a weight beyond float32", withValue(weight, -1e39), /' holds -1e\+39/],
    ["infinite moments", withValue("adam/first", Infinity), /'adam\/first' holds Infinity/],
    ["negative squares", withValue("adam/second", -1), /'adam\/second' holds a negative mean of squares/],
    ["sums that are none", withValue("metrics/sums", Number.NaN), /'metrics\/sums' holds NaN/],
    ["a step below 0", sealed(good.tensors, { ...good.metadata, step: "-5" }), /names the step '-5'/],
    ["a step of null", sealed(good.tensors, { ...good.metadata, step: "null" }), /names the step 'null'/],
    [
      "a step in other digits",
      sealed(good.tensors, { ...good.metadata, step: "2e1" }),
      /names the step '2e1'/,
    ],
    [
      "another step than its name",
      sealed(good.tensors, { ...good.metadata, step: "21" }),
      /holds step 21, not that/,
    ],
    ["another run", sealed(good.tensors, { ...good.metadata, run: "0" }), /is the checkpoint of another run/],
    [
      "no checksum",
      encodeSafetensors({ tensors: good.tensors, metadata: { step: "20" } }),
      /lack a checksum/,
    ],
    [
      "no moments",
      sealed(new Map([...good.tensors].filter(([name]) => name !== "adam/first"))),
      /lacks parameters or/,
    ],
    [
      "something else",
      sealed(new Map([...good.tensors, ["x", { shape: [0], values: new Float64Array() }]])),
      /holds 'x'/,
    ],
  ])("is refused with %s", (_, content, complaint) => {
    expect(() => findCheckpoint(holding(content), owner)).toThrow(complaint);
  });

  it("is passed over for an older one where it is damaged, which is said", () => {
    const path = holding(bytes.subarray(0, 500), "step-00000030.safetensors");
    writeFileSync(join(path, "step-00000020.safetensors"), bytes);
    const found = findCheckpoint(path, owner);
    expect(found?.checkpoint.step).toBe(20);
    expect(found?.damage).toEqual([
      expect.stringMatching(/step-00000030\.safetensors is cut short|not a safetensors/),
    ]);
  });

  it("is of its run however many steps and threads that is to have", () => {
    const { config } = original;
    const identity = (change: Partial<RunConfig>) => {
      const path = at(`identity ${copies++}`);
      return Run.create(path, { ...config, ...change }).identity;
    };
    const { training } = config;
    const [same, ...others] = [
      { threads: 5, checkpointEvery: 3, training: { ...training, steps: 99 } },
      { training: { ...training, seed: 1 } },
      { training: { ...training, learningRate: 2 } },
      { data: { kind: "toy" as const, name: "rings" } },
      { flow: tinyConfig({ formulation: "residual" }).flow },
    ].map(identity);
    expect(same).toBe(original.identity);
    expect(new Set([same, ...others]).size).toBe(5);
    expect(Run.open(original.path).identity).toBe(original.identity);
  });

  it("with a number that is not finite is never written, nor is such a model", () => {
    const state = checkpointOf(flow, 30);
    state.second[1] = Number.NaN;
    const path = holding(bytes);
    expect(() => saveCheckpoint(path, state, original.identity)).toThrow(
      "after step 30 'adam/second' holds NaN",
    );
    expect(readdirSync(path)).toEqual(["step-00000020.safetensors"]);
    const { values } = flow.parameters;
    const before = values[2];
    values[2] = Infinity;
    expect(() => saveFlow(flow, at("infinite"))).toThrow(/^the flow has Infinity in its tensor 'bijections/);
    values[2] = before;
    expect(existsSync(at("infinite"))).toBe(false);
  });
});

it("moves as a whole", async () => {
  const path = copy();
  renameSync(path, at("moved"));
  expect(await read(at("moved"))).toEqual(whole);
});

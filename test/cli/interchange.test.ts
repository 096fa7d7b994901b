/** A checkpoint of the original study's code becomes a run directory, and a checkpoint again. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { json, run, temporary } from "./cli.js";

const fixture = (name: string) => fileURLToPath(new URL(`../interchange/${name}.pth`, import.meta.url));
const checkpoint = fixture("mlvlab-toy-monotone");
const uncertain = fixture("residual-image");

it("imports, exports and imports again to the same model, which samples and is not trained on", async () => {
  const folder = temporary();
  const { blocks, dim, study } = await json(folder, "import", checkpoint, "--out", "a");
  expect({ blocks, dim, study }).toEqual({ blocks: 2, dim: 2, study: "mlvlab" });
  const [{ options }, sampled, resumed, unknown] = await Promise.all([
    json(folder, "export", "a", "--format", "mlvlab", "--out", "again.pth"),
    run(folder, "sample", "a", "-n", "3"),
    run(folder, "train", "--resume", "a"),
    run(folder, "export", "a", "--format", "keras", "--out", "m.pth"),
  ]);
  expect(options).toMatchObject({ act: "CPila", monotone_resolvent: true, nblocks: 2, actnorm: true });
  expect(sampled.stdout.trim().split("\n")).toHaveLength(4);
  expect([resumed.code, resumed.stderr]).toEqual([2, expect.stringContaining("a was imported")]);
  expect([unknown.code, unknown.stderr]).toEqual([
    2,
    expect.stringContaining("--format must be one of mlvlab"),
  ]);

  // Its power iteration is a step behind its weights.
  await json(folder, "import", uncertain, "--out", "u");
  const [refusedSamples, samples] = await Promise.all(
    [[], ["--uncertified"]].map((more) => run(folder, "sample", "u", "-n", "1", ...more)),
  );
  expect([refusedSamples.code, refusedSamples.stderr]).toEqual([
    2,
    expect.stringMatching(
      /u: nothing proves that block 2 is invertible.* 1\.05\d+, not below 1; .*--uncertified/,
    ),
  ]);
  expect([samples.code, samples.stdout.trim().split("\n").length]).toEqual([0, 2]);

  writeFileSync(`${folder}/args.json`, '{"act": "sin"}');
  const [, refused] = await Promise.all([
    json(folder, "import", "again.pth", "--out", "b"),
    run(folder, "import", "again.pth", "--args", "args.json", "--out", "c"),
  ]);
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringContaining("act sin: it is not known here"),
  ]);
  const file = (...path: string[]) => readFileSync([folder, ...path].join("/"));
  for (const name of ["flow.json", "model.safetensors"]) expect(file("b", name)).toEqual(file("a", name));
  expect(JSON.parse(file("a", "config.json").toString()).origin).toMatchObject({
    study: "mlvlab",
    file: "mlvlab-toy-monotone.pth",
    options: { coeff: 0.9 },
  });
});

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { call, expectComplaint, program, type Result, snapshot, temporary } from "./cli.js";

const PATIENCE = 400_000;

const folder = temporary();
const file = (...names: string[]) => join(folder, ...names);
// biome-ignore lint/suspicious/noExplicitAny: the fields are what is tested
let result: any;

/** A whole reproduction, which may take longer than the other commands on a busy machine. */
function reproduce(...args: string[]): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [program, "reproduce", "theory", "--quick", "--seed", "5", ...args],
      { cwd: folder, timeout: PATIENCE },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

beforeAll(async () => {
  const { code, stdout, stderr } = await reproduce("--json");
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^\{.*\}\n$/);
  result = JSON.parse(stdout);
}, PATIENCE);

it("leaves a report with its figures, tables and checked claims", () => {
  const out = file("reproductions", "theory-quick");
  expect(result).toMatchObject({ experiment: "theory", quick: true, seed: 5 });
  expect(result.report).toBe(join("reproductions", "theory-quick", "report.html"));
  expect(result.seconds).toBeGreaterThan(0);
  expect(result.claims.length).toBeGreaterThan(10);
  expect(result.claims.filter((c: { holds: boolean }) => !c.holds)).toEqual([]);
  const results = JSON.parse(readFileSync(join(out, "results.json"), "utf8"));
  expect(results.facts).toMatchObject({
    command: "monotone-flows reproduce theory --quick --seed 5",
    seed: "5",
  });
  expect(results.sections).toHaveLength(5);
  const markdown = readFileSync(join(out, "report.md"), "utf8");
  const links = [...markdown.matchAll(/\]\((figures\/.*?\.png)\)/g)].map(([, link]) => link);
  expect(links.length).toBeGreaterThan(6);
  for (const link of links) expect(statSync(join(out, link)).size).toBeGreaterThan(1000);
  expect(readFileSync(join(out, "report.html"), "utf8")).not.toMatch(/src="(?!data:)/);
});

it(
  "goes on where it stopped, and never computes a finished part again",
  async () => {
    const out = (name: string) => file("reproductions", "theory-quick", name);
    const before = readFileSync(out("results.json"), "utf8");
    rmSync(out("cayley.json"));
    rmSync(out("report.html"));
    // A mark that a part computed again would not have.
    const slopes = `${readFileSync(out("slopes.json"), "utf8")} `;
    writeFileSync(out("slopes.json"), slopes);
    const { code, stderr } = await reproduce();
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/cayley:/);
    expect(stderr).not.toMatch(/slopes:|regions:|saturation:/);
    expect(readFileSync(out("slopes.json"), "utf8")).toBe(slopes);
    expect(existsSync(out("report.html"))).toBe(true);
    const sections = (text: string) => JSON.parse(text).sections;
    expect(sections(readFileSync(out("results.json"), "utf8"))).toEqual(sections(before));
  },
  PATIENCE,
);

it("complains in one sentence and leaves everything as it was", async () => {
  writeFileSync(file("file.txt"), "a file\n");
  mkdirSync(file("other"));
  writeFileSync(file("other", "notes.txt"), "mine\n");
  mkdirSync(file("half"));
  writeFileSync(file("half", "train-images-idx3-ubyte"), "no images\n");
  const before = snapshot(folder);
  const finished = "--out reproductions/theory-quick";
  const cases: Record<string, RegExp> = {
    reproduce: /missing required argument 'experiment'/,
    "reproduce thoery": /there is no experiment 'thoery'; did you mean theory\?/,
    "reproduce 3d": /there is no experiment '3d'; did you mean [12]d\?/,
    "reproduce constructor": /there is no experiment 'constructor'/,
    "reproduce theory --seed -1": /--seed must be a whole number from 0 on, not '-1'/,
    "reproduce theory --seed 1e400": /--seed must be .*'1e400'/,
    "reproduce theory --threads 0": /--threads must be a positive whole number/,
    "reproduce theory --data-dir half": /--data-dir is for reproduce images; theory has data of its own/,
    "reproduce 2d --image-steps 9": /--image-steps is for reproduce images; 2d has data of its own/,
    "reproduce images --quick --data-dir half": /--data-dir does not go with --quick, which uses the digits/,
    "reproduce images --image-steps 9": /--image-steps is for MNIST and CIFAR-10: give their folder/,
    "reproduce images --data-dir half --image-steps 0": /--image-steps must be a.* '0'/,
    "reproduce images --data-dir absent": /absent: there is no such folder/,
    "reproduce images --data-dir file.txt": /file\.txt is not a folder/,
    "reproduce images --data-dir other":
      /other holds neither MNIST nor CIFAR-10\. MNIST needs train-images.*lecun.*CIFAR-10 needs.*toronto/,
    "reproduce images --data-dir half": /t10k-images-idx3-ubyte is not in half, neither plain nor with \.gz/,
    "reproduce theory --quick": /theory-quick was made with other settings \(seed 5 there, 0 here\)/,
    [`reproduce theory --seed 5 ${finished}`]: /other settings \(quick true there, false here\)/,
    [`reproduce 1d --quick --seed 5 ${finished}`]:
      /other settings \(reproduction 'theory' there, '1d' here\)/,
    "reproduce theory --out other": /other holds something else \(notes\.txt\), not a reproduction/,
    "reproduce theory --out file.txt": /file\.txt is a file; choose another folder/,
    "reproduce theory --out file.txt/deeper": /cannot write file\.txt.deeper.*file/,
  };
  for (const [line, pattern] of Object.entries(cases)) {
    expectComplaint(await call(folder, ...line.split(" ")), pattern);
  }
  expect(snapshot(folder)).toEqual(before);
}, 120_000);

/** Flows of images on the command line: train, resume, evaluate, sample, score, verify, and what is refused. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode } from "fast-png";
import { describe, expect, it } from "vitest";
import { readNpy } from "../../src/data/npy.js";
import { checkpointAfter } from "./checkpoints.js";
import { call, expectComplaint, json, run, start, temporary } from "./cli.js";

const folder = temporary();
const TINY = ["--data", "digits", "--batch", "8", "--checkpoint-every", "2"];
const at = (...names: string[]) => readFileSync(join(folder, ...names));

function png(path: string, width: number, height: number, shade: number): void {
  const data = Uint8Array.from({ length: width * height }, (_, i) => (shade + 7 * i) % 256);
  writeFileSync(path, encode({ width, height, channels: 1, depth: 8, data }));
}

describe("digits", () => {
  it.each([1, 2])(
    "trains, stops at SIGINT with a checkpoint, and goes on bit for bit, on %d threads",
    async (threads) => {
      const options = [...TINY, "--steps", "12", "--threads", `${threads}`];
      const [whole, broken] = [`whole${threads}`, `broken${threads}`];
      const summary = await json(folder, "train", ...options, "--out", whole);
      expect(summary).toMatchObject({
        data: "digits",
        steps: 12,
        unit: "bits/dim",
        entropy: null,
        gap: null,
      });
      // log2 17 is what a uniform guess would cost.
      expect(summary.testLoss).toBeLessThan(Math.log2(17));
      expect(summary.testLoss).toBeGreaterThan(1);
      expect(existsSync(join(folder, whole, "figures", "samples.png"))).toBe(true);
      expect(existsSync(join(folder, whole, "figures", "samples-step-10.png"))).toBe(true);

      const { child, end } = start(folder, "train", ...options, "--out", broken);
      await checkpointAfter(0, join(folder, broken), child);
      child.kill("SIGINT");
      const stopped = await end;
      // A machine in a hurry is through before the signal: then there is nothing to go on with.
      if (stopped.code === 1) {
        expect(stopped.stderr).toMatch(
          /stopped at step \d+; go on with: monotone-flows train --resume broken/,
        );
        const resumed = await run(folder, "train", "--resume", broken);
        expect(resumed.code, resumed.stderr).toBe(0);
      }
      expect(at(broken, "model.safetensors").equals(at(whole, "model.safetensors"))).toBe(true);
    },
    120_000,
  );

  it("evaluates, samples, scores and verifies the model", async () => {
    const test = await json(folder, "evaluate", "whole1", "--samples", "20");
    expect(test).toMatchObject({ data: "digits", rows: 20, unit: "bits/dim" });
    const exact = await json(folder, "evaluate", "whole1", "--samples", "20", "--exact");
    expect(Math.abs(test.testLoss - exact.testLoss)).toBeLessThan(5 * test.standardError);
    expect(test.testLoss).not.toBe(exact.testLoss);

    await json(folder, "sample", "whole1", "-n", "7", "--out", "digits.npy");
    const samples = readNpy(at("digits.npy"), "digits.npy");
    expect([samples.rows, samples.columns]).toEqual([7, 64]);
    for (const x of samples.values) expect(Number.isInteger(x) && x >= 0 && x <= 16).toBe(true);
    await json(folder, "sample", "whole1", "--out", "digits.png");
    expect(at("digits.png").length).toBeGreaterThan(2000);

    const scores = await json(folder, "score", "whole1", "--data", "digits");
    expect(scores.rows).toBe(297);

    const certificate = await json(folder, "verify", "whole1");
    expect(certificate.ok).toBe(true);
    for (const { lipschitzBound } of certificate.blocks) expect(lipschitzBound).toBeLessThan(1);
    expect(certificate.roundTrip).toBeLessThan(1e-4);
    expect(certificate.logDetError).toBeLessThan(certificate.logDetLimit);
    expect(certificate.jacobianError).toBeLessThan(1e-3);
  }, 120_000);
});

it("learns from a folder of pictures, and says what is wrong with one", async () => {
  const pictures = join(folder, "pictures");
  mkdirSync(pictures);
  for (let i = 0; i < 24; i++) png(join(pictures, `${i}.png`), 8, 4, 10 * i);
  const options = ["--preset", "digits", "--steps", "2", "--batch", "4", "--threads", "1"];
  const summary = await json(folder, "train", "--data", "pictures", ...options, "--out", "of-pictures");
  expect(summary.unit).toBe("bits/dim");
  // By default the images that training left out; of a folder that is named, every one.
  const own = await json(folder, "evaluate", "of-pictures");
  expect(own).toMatchObject({ rows: 2, testLoss: expect.closeTo(summary.testLoss, 5) });
  const scores = await json(folder, "score", "of-pictures", "--data", "pictures");
  expect(scores.rows).toBe(24);
  expectComplaint(
    await call(folder, "score", "of-pictures", "--data", "digits"),
    /digits has images of 8 x 8 pixels, 1 channel, 17 levels, the model was trained on images of 8 x 4 pixels, 1 channel, 256 levels/,
  );

  png(join(pictures, "odd.png"), 6, 4, 0);
  expectComplaint(
    await call(folder, "train", "--data", "pictures", ...options),
    /odd\.png.*6 x 4|6 x 4.*odd\.png/,
  );
}, 120_000);

it("refuses what it cannot learn from, with exit code 2", async () => {
  const complain = async (pattern: RegExp, ...args: string[]) =>
    expectComplaint(await call(folder, "train", ...args), pattern);
  mkdirSync(join(folder, "mnist"));
  await complain(/train-images-idx3-ubyte/, "--data", "mnist", "--data-dir", "mnist");
  await complain(/mnist needs the folder with .* \(--data-dir\)/, "--data", "mnist");
  await complain(/unknown preset 'monotone' for images/, "--data", "digits", "--preset", "monotone");
  await complain(/the preset digits is for images/, "--preset", "digits");
  await complain(/a folder of files goes with .*, not with 2spirals \(--data-dir\)/, "--data-dir", "mnist");
  await complain(/digits come with the package.* \(--data-dir\)/, "--data", "digits", "--data-dir", "mnist");
  await complain(
    /only columns of a table can be chosen.* \(--columns\)/,
    "--data",
    "digits",
    "--columns",
    "1",
  );

  const header = (magic: number, ...sizes: number[]) => {
    const bytes = Buffer.alloc(4 + 4 * sizes.length);
    for (const [i, n] of [magic, ...sizes].entries()) bytes.writeUInt32BE(n, 4 * i);
    return bytes;
  };
  writeFileSync(join(folder, "short-ubyte"), Buffer.concat([header(0x803, 5, 8, 8), Buffer.alloc(100)]));
  await complain(/short-ubyte.*100|short-ubyte.*bytes/, "--data", "short-ubyte");
  writeFileSync(join(folder, "wrong-ubyte"), header(0x999, 5, 8, 8));
  await complain(/wrong-ubyte.*magic/, "--data", "wrong-ubyte");
  const odd = Buffer.concat([header(0x803, 30, 9, 9), Buffer.alloc(30 * 81)]);
  writeFileSync(join(folder, "nine-ubyte"), odd);
  await complain(
    /images of 9 x 9 pixels do not fit: .* must be multiples of 4/,
    "--data",
    "nine-ubyte",
    "--preset",
    "digits",
  );
  writeFileSync(join(folder, "batch.bin"), Buffer.alloc(3072));
  await complain(/batch\.bin.*3073|batch\.bin.*length/, "--data", "batch.bin");
}, 120_000);

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { call, expectComplaint, json, run, runLimited, snapshot, temporary, writeTable } from "./cli.js";

const folder = temporary();
const rows = (row: (i: number) => string, n = 20) => Array.from({ length: n }, (_, i) => row(i)).join("\n");
const file = (name: string, content: string) => writeFileSync(join(folder, name), content);

file("text.csv", `a,b\n${rows((i) => `${i},${i === 7 ? "seven" : i * i}`)}\n`);
file("nan.csv", `a,b\n${rows((i) => `${i === 4 ? "NaN" : i},${i * i}`)}\n`);
file("empty-cell.csv", `a,b\n${rows((i) => `${i === 4 ? "" : i},${i * i}`)}\n`);
file("infinite.csv", `a,b\n${rows((i) => `${i},${i === 0 ? "-inf" : i * i}`)}\n`);
file("ragged.csv", `a,b\n${rows((i) => (i === 2 ? "1,2,3" : `${i},${i * i}`))}\n`);
file("header-only.csv", "a,b\n");
file("empty.csv", "");
file("constant.csv", `a,flat,c\n${rows((i) => `${i},5,${i * i}`)}\n`);
file("few.csv", `a,b\n${rows((i) => `${i},${i * i}`, 5)}\n`);
file("not.npy", "a,b\n1,2\n");
file("file.txt", "a file\n");
writeTable(join(folder, "wide.csv"), { columns: 17 });
writeTable(join(folder, "good.csv"), { columns: 2 });
writeTable(join(folder, "three.csv"), { columns: 3, header: false });

beforeAll(async () => {
  await json(
    folder,
    "train",
    "--data",
    "good.csv",
    "--steps",
    "2",
    "--batch",
    "20",
    "--threads",
    "1",
    "--out",
    "run",
  );
  file("old.csv", "precious\n");
  mkdirSync(join(folder, "folder.csv"));
  before = snapshot(folder);
}, 60_000);

let before: string[];
afterEach(() => expect(snapshot(folder)).toEqual(before));

/** The first as a user calls it, the others without the start of a process each. */
async function complains(cases: Record<string, RegExp>): Promise<void> {
  for (const [i, [line, pattern]] of Object.entries(cases).entries()) {
    const args = line.split(" ").filter(Boolean);
    expectComplaint(await (i === 0 ? run : call)(folder, ...args), pattern);
  }
}

describe("one sentence, exit code 2 and an untouched disk for", () => {
  it("what is no command or option", async () => {
    await complains({
      foo: /unknown command 'foo'/,
      "train --foo": /unknown option '--foo'/,
      "train --step 3": /unknown option '--step' \(Did you mean --steps\?\)/,
      "train --steps": /'--steps <n>' argument missing/,
      evaluate: /missing required argument 'run'/,
      "score run": /'--data <file>' not specified/,
      "bench foo": /no benchmark 'foo'/,
    });
  }, 60_000);

  it("options with values that make no sense", async () => {
    await complains({
      "train --steps 0": /--steps must be a positive whole number, not '0'/,
      "train --steps -5": /--steps must be .*'-5'/,
      "train --steps many": /--steps must be .*'many'/,
      "train --batch 0": /--batch must be/,
      "evaluate run --threads 0": /--threads must be a positive whole number, not '0'/,
      "sample run --threads 1.5": /--threads must be .*'1\.5'/,
      "score run --data good.csv --threads 1000": /--threads must be at most 256, not 1000/,
      "train --growth 7": /growth 7 must be even: CPila has two outputs/,
      "train --coeff 1": /--coeff must be below 1, not 1/,
      "train --seed -1": /--seed must be a whole number from 0 on, not '-1'/,
      "train --learning-rate NaN": /--learning-rate must be a positive number, not 'NaN'/,
      "train --preset moonotone": /unknown preset 'moonotone'; choose one of monotone, i-densenet/,
      "train --data 2spiral": /no data set "2spiral".*2spirals/,
      "train --columns 1": /--columns/,
      "sample run -n 0": /--count must be/,
      "sample run --json": /--json needs --out/,
      "sample run --out x.jpg": /--out must end in .csv, .npy, .png, not 'x.jpg'/,
      "score run --data good.csv --out x.png": /--out must end in .csv or .npy, not 'x.png'/,
    });
  }, 60_000);

  it("tables that are none", async () => {
    await complains({
      "train --data nowhere.csv": /nowhere\.csv: there is no such file/,
      "train --data text.csv": /text\.csv, row 9, column "b": "seven" is not a number/,
      "train --data nan.csv": /nan\.csv, row 6, column "a": the number is NaN/,
      "train --data empty-cell.csv": /empty-cell\.csv, row 6, column "a": the cell is empty/,
      "train --data infinite.csv": /infinite\.csv, row 2, column "b": the number is infinite/,
      "train --data ragged.csv": /ragged\.csv, row 4: 3 instead of 2 columns/,
      "train --data header-only.csv": /header-only\.csv: .*no data rows/,
      "train --data empty.csv": /empty\.csv: the file is empty/,
      "train --data constant.csv": /constant\.csv.*flat.*same value/,
      "train --data few.csv": /few\.csv has 5 rows; at least 10/,
      "train --data not.npy": /not\.npy: not a \.npy file/,
      "train --data wide.csv": /wide\.csv has 17 columns, at most 16/,
      "train --data good.csv --columns c1,c9": /good\.csv: there is no column "c9"/,
      "evaluate run --data moonz": /no data set "moonz".*moons/,
      "score run --data text.csv --columns a,b": /text\.csv, row 9, column "b"/,
      "score run --data three.csv --columns 1,2,3": /three\.csv has 3 columns, the model was trained on 2/,
      "evaluate run --data three.csv --columns 1,2,3": /three\.csv has 3 columns, the model was trained on 2/,
    });
  }, 60_000);

  it("places that cannot be written", async () => {
    await complains({
      "train --steps 1 --out file.txt": /run directory file\.txt: .*file/,
      "train --steps 1 --out file.txt/run": /run directory file\.txt.run: .*file/,
      "sample run -n 5 --out file.txt/x.csv": /cannot write file\.txt.x\.csv: .*file/,
      "sample run -n 5 --out folder.csv": /cannot write folder\.csv: it is a folder/,
    });
  }, 60_000);

  it.skipIf(process.platform === "win32")(
    "disks that are full",
    async () => {
      const large = /the file would be larger than allowed/;
      const limited = (...args: string[]) => runLimited(2, folder, ...args);
      expectComplaint(await limited("sample", "run", "-n", "200", "--out", "old.csv"), large);
      expect(readFileSync(join(folder, "old.csv"), "utf8")).toBe("precious\n");
      expectComplaint(await limited("sample", "run", "-n", "200", "--out", "new/deep/x.npy"), large);
      expectComplaint(
        await limited("train", "--steps", "1", "--out", "new/run"),
        /config\.json: the file would be/,
      );
    },
    60_000,
  );

  it.skipIf(process.platform !== "linux")(
    "a full standard output",
    async () => {
      const { spawnSync } = await import("node:child_process");
      const { openSync, closeSync } = await import("node:fs");
      const { program } = await import("./cli.js");
      const full = openSync("/dev/full", "w");
      const { status, stderr } = spawnSync(process.execPath, [program, "sample", "run"], {
        cwd: folder,
        stdio: ["ignore", full, "pipe"],
        encoding: "utf8",
      });
      closeSync(full);
      expectComplaint(
        { code: status, stdout: "", stderr },
        /cannot write to standard output: the disk is full/,
      );
    },
    60_000,
  );
});

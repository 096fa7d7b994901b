import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { tinyConfig } from "../../test/support/run-directory.js";
import { Run } from "./run.js";
import { lock, unlock } from "./run-lock.js";

const folder = mkdtempSync(join(tmpdir(), "lock-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

let folders = 0;
/** A folder whose lock has that content. */
function locked(content: object | string): string {
  const path = join(folder, String(folders++));
  mkdirSync(path);
  writeFileSync(join(path, "run.lock"), typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

const host = hostname();
const dead = spawnSync(process.execPath, ["--version"]).pid;
const alive = { host, pid: process.ppid, started: null };

it("holds until it is given back, and its holder may ask again", () => {
  const path = join(folder, "run");
  const run = Run.create(path, tinyConfig());
  run.lock();
  run.lock();
  expect(JSON.parse(readFileSync(join(path, "run.lock"), "utf8"))).toMatchObject({ host, pid: process.pid });
  run.unlock();
  expect(readdirSync(path).sort()).toEqual(["config.json", "manifest.json"]);
});

it("refuses while its holder lives, for new runs as well", () => {
  const path = locked(alive);
  const sentence = `process ${process.ppid} is training in ${path}: wait for its end, or stop it first`;
  for (const attempt of [() => lock(path), () => Run.create(path, tinyConfig())]) {
    expect(attempt).toThrow(expect.objectContaining({ code: "run", message: sentence }));
  }
  unlock(path);
  expect(readdirSync(path)).toEqual(["run.lock"]);
});

it.each([
  ["is dead", { host, pid: dead, started: null }],
  ["has left its number to another", { ...alive, started: "another boot 5" }],
])("is taken over from a holder that %s", (_, holder) => {
  const path = locked(holder);
  lock(path);
  expect(JSON.parse(readFileSync(join(path, "run.lock"), "utf8")).pid).toBe(process.pid);
  unlock(path);
  expect(readdirSync(path)).toEqual([]);
});

it("asks where nothing says whether the holder lives", () => {
  expect(() => lock(locked({ host: "another", pid: 5, started: null }))).toThrow(
    /process 5 of the machine 'another' trains in .*; if it does so no more, remove .*run\.lock$/,
  );
  expect(() => lock(locked("\u001b[2Jwhat"))).toThrow(
    /run\.lock holds '\\u001b\[2Jwhat', which names no process/,
  );
});

/** The server of the studio: this machine alone, isolated, nothing but the studio's own files. */

import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { type IncomingHttpHeaders, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serveStudio } from "../../src/cli/studio.js";
import { expectComplaint, run, temporary } from "./cli.js";
import { type Studio, startStudio } from "./studio.js";

const folder = temporary();
let studio: Studio;
beforeAll(async () => {
  studio = await startStudio(folder);
});
afterAll(() => studio?.end());

/** A request as it is written: `fetch` would tidy the path up. */
function get(
  path: string,
  method = "GET",
  sentHeaders: Record<string, string> = {},
): Promise<{ status: number; headers: IncomingHttpHeaders; body: string }> {
  const { hostname, port } = new URL(studio.address);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method, headers: sentHeaders }, (response) => {
      let body = "";
      response.on("data", (data) => {
        body += data;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    });
    sent.on("error", reject).end();
  });
}

describe("studio", () => {
  it("serves the page, isolated and with a strict policy", async () => {
    const { status, headers, body } = await get("/");
    expect(status).toBe(200);
    expect(body).toContain("<title>Monotone Flows studio</title>");
    expect(headers).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
      "x-content-type-options": "nosniff",
    });
    const policy = headers["content-security-policy"] as string;
    expect(policy).toMatch(/default-src 'none'; script-src 'self' 'wasm-unsafe-eval';/);
    expect(policy).not.toMatch(/unsafe-inline|'unsafe-eval'|https?:|\*/);
  });

  it("names the types of its files, and lets them be kept", async () => {
    const { body } = await get("/");
    const scripts = [...body.matchAll(/(?:src|href)="\.(\/assets\/[^"]+)"/g)].map(([, path]) => path);
    expect(scripts.length).toBeGreaterThanOrEqual(2);
    for (const path of scripts) {
      const { status, headers } = await get(path);
      expect(status).toBe(200);
      expect(headers["content-type"]).toMatch(path.endsWith(".css") ? /^text\/css/ : /^text\/javascript/);
      expect(headers["cache-control"]).toMatch(/immutable/);
    }
    const { body: nothing, headers } = await get(scripts[0], "HEAD");
    expect(nothing).toBe("");
    expect(Number(headers["content-length"])).toBeGreaterThan(0);
  });

  it("sends parts of files, nothing of what a browser has, and its policy with every answer", async () => {
    const { body } = await get("/");
    const part = await get("/", "GET", { Range: "bytes=0-9" });
    expect([part.status, part.body]).toEqual([206, body.slice(0, 10)]);
    const { headers } = await get("/");
    const known = await get("/", "GET", { "If-None-Match": headers.etag as string });
    expect([known.status, known.body]).toEqual([304, ""]);
    const beyond = await get("/", "GET", { Range: "bytes=999999999-" });
    expect([beyond.status, beyond.body]).toEqual([416, "the file has no such part\n"]);
    const policy = headers["content-security-policy"];
    for (const answer of [part, known, beyond, await get("/nowhere"), await get("/", "PUT")]) {
      expect(answer.headers["content-security-policy"], `status ${answer.status}`).toBe(policy);
    }
  });

  it.each([
    "/../package.json",
    "/..%2f..%2fpackage.json",
    "/assets/../../package.json",
    "/%2e%2e/src/index.js",
    "//etc/passwd",
    "/nowhere.js",
    "/assets",
    "/%",
    "/index.html%00.js",
  ])("has no file at %s", async (path) => {
    expect((await get(path)).status).toBe(404);
  });

  it("takes no orders", async () => {
    const { status, headers } = await get("/", "POST");
    expect(status).toBe(405);
    expect(headers.allow).toBe("GET, HEAD");
  });

  it("refuses a port that is in use or is none", async () => {
    const { port } = new URL(studio.address);
    expectComplaint(
      await run(folder, "studio", "--port", port),
      new RegExp(`port ${port} on 127\\.0\\.0\\.1 is in use; choose another with --port`),
    );
    expectComplaint(await run(folder, "studio", "--port", "99999"), /--port must be at most 65535/);
    expectComplaint(await run(folder, "studio", "--port", "x"), /--port must be a whole number/);
  });

  it("ends with Ctrl-C", async () => {
    const other = await startStudio(folder);
    expect(other.address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    expect(await other.end()).toBe(0);
  });
});

it.skipIf(process.platform !== "linux")("closes the files of downloads that are broken off", async () => {
  const site = join(folder, "site");
  mkdirSync(site);
  writeFileSync(join(site, "index.html"), "");
  writeFileSync(join(site, "large.bin"), new Uint8Array(8e6));
  const server = await serveStudio(0, site);
  const { port } = server.address() as AddressInfo;
  const descriptors = () => readdirSync("/proc/self/fd").length;
  const before = descriptors();
  await Promise.all(
    Array.from(
      { length: 50 },
      () =>
        new Promise<void>((resolve) => {
          const sent = request({ port, host: "127.0.0.1", path: "/large.bin" }, (response) => {
            response.once("data", () => response.destroy());
            response.on("close", resolve).on("error", () => {});
          });
          sent.on("error", () => resolve()).end();
        }),
    ),
  );
  for (let waited = 0; descriptors() > before && waited < 5_000; waited += 20) await sleep(20);
  expect(descriptors()).toBeLessThanOrEqual(before);
  server.close();
});

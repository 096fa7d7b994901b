import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { packageRoot } from "../../package.js";
import { decodeDigits, digitsAsset, digitsFrom, fetchDigits } from "./digits.js";
import type { ImageData } from "./image-set.js";

const packed = new Uint8Array(readFileSync(new URL(digitsAsset, packageRoot())));
const unpacked = new Uint8Array(gunzipSync(packed));
const HEADER = 12;
const ROW = 65;

/** Every image of both parts with its label, as text, sorted. */
function everything({ train, test }: ImageData): string[] {
  const out = new Uint8Array(64);
  return [train, test]
    .flatMap((set) =>
      Array.from({ length: set.count }, (_, i) => {
        set.read(i, out);
        return `${out.join(",")},${set.label!(i)}`;
      }),
    )
    .sort();
}

describe("the digits of the package", () => {
  it("are the rows of the source, each once", () => {
    const rows = Array.from({ length: 1797 }, (_, i) =>
      unpacked.subarray(HEADER + i * ROW, HEADER + (i + 1) * ROW).join(","),
    );
    // The first row of the published file.
    expect(rows[0]).toBe(
      "0,0,5,13,9,1,0,0,0,0,13,15,10,15,5,0,0,3,15,2,0,11,8,0,0,4,12,0,0,8,8,0,0,5,8,0,0,9,8,0,0,4,11,0,1,12,7,0,0,2,14,5,10,12,0,0,0,0,6,13,10,0,0,0,0",
    );
    expect(everything(digitsFrom(unpacked))).toEqual(rows.sort());
  });

  it("have every digit in both parts", () => {
    const { train, test } = digitsFrom(unpacked);
    for (const [set, least] of [
      [train, 130],
      [test, 20],
    ] as const) {
      const counts = new Array(10).fill(0);
      for (let i = 0; i < set.count; i++) counts[set.label!(i)]++;
      expect(Math.min(...counts)).toBeGreaterThanOrEqual(least);
    }
  });

  it("are decoded without files, as a browser does it", async () => {
    expect(everything(await decodeDigits(packed))).toEqual(everything(digitsFrom(unpacked)));
    await expect(decodeDigits(packed.subarray(0, 20_000))).rejects.toMatchObject({ code: "input" });
  });

  it("name values out of range and other files", () => {
    const changed = (at: number, value: number) => unpacked.map((byte, i) => (i === at ? value : byte));
    expect(() => digitsFrom(changed(HEADER + 2 * ROW + 3, 17), "d.gz")).toThrow(
      "d.gz, row 3, column 4: a pixel is an integer from 0 to 16, not 17",
    );
    expect(() => digitsFrom(changed(HEADER + 64, 10), "d.gz")).toThrow(
      "d.gz, row 1, column 65: a label is an integer from 0 to 9, not 10",
    );
    expect(() => digitsFrom(unpacked.subarray(0, 5000), "d.gz")).toThrow("d.gz: truncated");
    const fewer = unpacked.slice(0, HEADER + 2 * ROW);
    fewer.set([0, 0, 0, 2], 4);
    expect(() => digitsFrom(fewer, "d.gz")).toThrow("d.gz: 2 x 65 values instead of 1797 x 65");
  });
});

describe("fetchDigits", () => {
  const server = createServer((request, response) => {
    if (request.url === "/digits.gz") response.end(packed);
    else if (request.url === "/encoded") response.setHeader("Content-Encoding", "gzip").end(packed);
    else response.writeHead(404).end();
  });
  let origin = "";
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => server.close());

  it.each(["digits.gz", "encoded"])("takes the asset as it is served (%s)", async (path) => {
    expect(everything(await fetchDigits(`${origin}/${path}`))).toEqual(everything(digitsFrom(unpacked)));
  });

  it("says what cannot be fetched", async () => {
    await expect(fetchDigits(`${origin}/x`)).rejects.toThrow(
      `${origin}/x: cannot be fetched (404 Not Found)`,
    );
  });
});

import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { portableSha256, sha256 } from "./sha256.js";

it("is SHA-256, at every length around a block and anywhere in a buffer", () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * i + 7 * i) & 255);
  for (let length = 0; length < 200; length++) {
    const part = bytes.subarray(length % 5, (length % 5) + length);
    const expected = createHash("sha256").update(part).digest("hex");
    expect(portableSha256(part)).toBe(expected);
    expect(sha256(part)).toBe(expected);
  }
});

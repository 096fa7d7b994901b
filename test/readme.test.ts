import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

it("runs the README's snippet as it stands, against the built package", () => {
  const snippet = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, "README.md"), "utf8"))?.[1];
  const folder = mkdtempSync(join(tmpdir(), "readme-"));
  try {
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(root, join(folder, "node_modules", "monotone-flows"));
    const check = "console.log(certificate.ok, logProb.length, logDet.length, x.rows);";
    writeFileSync(join(folder, "snippet.mjs"), `${snippet}\n${check}\n`);
    const output = execFileSync(process.execPath, ["snippet.mjs"], { cwd: folder, encoding: "utf8" });
    expect(output.trim()).toBe("true 1000 1000 1000");
    expect(readdirSync(join(folder, "my-flow")).sort()).toEqual(["flow.json", "model.safetensors"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);

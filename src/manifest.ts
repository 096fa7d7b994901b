/** What the package.json of this program says. */
import { readFileSync } from "node:fs";
import { packageRoot } from "./package.js";

const manifest: { version: string; description: string } = JSON.parse(
  readFileSync(new URL("package.json", packageRoot()), "utf8"),
);

export const { version, description } = manifest;

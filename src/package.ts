/** Where this program's package lies, and what its package.json says. */
import { existsSync, readFileSync } from "node:fs";

/** The folder of the nearest package.json over this file, which stands deeper once it is compiled. */
function nearest(folder: URL): URL {
  return existsSync(new URL("package.json", folder)) ? folder : nearest(new URL("../", folder));
}

/** The package's own folder. */
export const packageRoot = nearest(new URL("./", import.meta.url));

const manifest: { version: string; description: string } = JSON.parse(
  readFileSync(new URL("package.json", packageRoot), "utf8"),
);

export const { version, description } = manifest;
